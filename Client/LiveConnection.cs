using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Logging;

namespace Marketplace.Client;

/// <summary>
/// A connection to the live hub that is there to stay: it comes back when it breaks, on whichever server it is given, and its
/// <see cref="LiveChannel"/>s go on where they were.
/// </summary>
public sealed partial class LiveConnection : IAsyncDisposable, ILiveSink
{
    /// <summary>Broadcasts that are remembered, to know a repeat; what was before them would be raised again.</summary>
    private const int BroadcastsKnown = 100;

    private readonly Lock _lock = new();
    private readonly Queue<BroadcastMessage> _broadcasts = [];
    private readonly List<LiveChannel> _channels = [];
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Signal _roomFollowed = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly LiveConnectionOptions _options;
    private readonly ReconnectPolicy _policy;
    private readonly ILogger _logger;
    private Task? _run;
    private Work? _work;
    private Task _leaving = Task.CompletedTask;
    private volatile LiveStatus _status = new(LiveState.Idle);

    public LiveConnection(LiveConnectionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfZero(options.Urls.Count, nameof(options));
        _options = options;
        _policy = new(options.RetryFirst, options.RetryMax, options.Random);
        _logger = options.Loggers.CreateLogger<LiveConnection>();
    }

    /// <summary>How it fares now.</summary>
    public LiveStatus Status => _status;

    /// <summary>Raised with every change of <see cref="Status"/>, on the connection's own loop: handlers should return soon.</summary>
    public event Action<LiveStatus>? StatusChanged;

    /// <summary>Raised once with what operators tell everyone. It is not kept: who is away misses it.</summary>
    public event Action<BroadcastMessage>? BroadcastReceived;

    /// <summary>Where the readers of all channels are, to be saved and given to <see cref="Follow"/> by a later run.</summary>
    public IReadOnlyList<LiveStamp> Positions
    {
        get
        {
            lock (_lock)
            {
                return [.. _channels.Select(channel => channel.Position).OfType<LiveStamp>()];
            }
        }
    }

    /// <summary>Follows a channel, before or after the start. A connection is in one room at a time.</summary>
    /// <param name="channel"><c>room/…</c> or <c>inbox</c>.</param>
    /// <param name="after">The last message that the application has; null to begin with what comes from now on.</param>
    public LiveChannel Follow(string channel, LiveStamp? after = null)
    {
        var followed = new LiveChannel(channel, after, this, _options, _policy);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested || _status.State == LiveState.Closed, this);
            if (_channels.Find(other => other.Name == channel || (other.Room is not null && followed.Room is not null)) is { } other)
            {
                throw new InvalidOperationException($"{other.Name} is followed already, and must be left first.");
            }

            _channels.Add(followed);
            _work?.Add(followed, _leaving);
            if (followed.Room is not null)
            {
                _roomFollowed.Set();
            }
        }

        return followed;
    }

    /// <summary>Starts, and waits until it is connected for the first time, however long that takes.</summary>
    /// <param name="cancellationToken">Ends the wait, and the connection.</param>
    /// <exception cref="LiveRefusedException">The token was refused, and a fresh one too.</exception>
    /// <remarks>It ends with what <see cref="LiveConnectionOptions.ConfigureHttp"/> and <c>ConfigureHub</c> throw, if they do.</remarks>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stop.IsCancellationRequested, this);
            _run ??= Task.Run(RunAsync, CancellationToken.None);
        }

        try
        {
            await _connected.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops for good. Readers come to their end, and what waits to be sent fails.</summary>
    public async ValueTask DisposeAsync()
    {
        Task? run;
        lock (_lock)
        {
            run = _run;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        if (run is null)
        {
            Close(null);
        }
        else
        {
            await run.ConfigureAwait(false);
        }
    }

    void ILiveSink.OnEvent(LiveLink link, LiveEvent e)
    {
        LiveChannel? channel = null;
        lock (_lock)
        {
            if (_work?.Link == link) // what another one still brings is in its successor's history
            {
                channel = _channels.Find(candidate => candidate.Is(e.Stamp.Channel));
            }
        }

        channel?.Offer(e);
    }

    void ILiveSink.OnBroadcast(BroadcastMessage message)
    {
        lock (_lock)
        {
            if (_broadcasts.Contains(message))
            {
                return; // while one server's place is taken by another, both bring it, in either order
            }

            if (_broadcasts.Count == BroadcastsKnown)
            {
                _broadcasts.Dequeue();
            }

            _broadcasts.Enqueue(message);
        }

        BroadcastReceived?.Invoke(message);
    }

    internal Task LeaveAsync(LiveChannel channel)
    {
        lock (_lock)
        {
            if (!_channels.Remove(channel))
            {
                return Task.CompletedTask;
            }

            if (channel.Room is not null)
            {
                _roomFollowed.Reset();
            }

            var (work, before) = (_work, _leaving);
            return _leaving = Task.Run(() => LeaveAsync(channel, work, before), CancellationToken.None);
        }
    }

    private async Task LeaveAsync(LiveChannel channel, Work? work, Task before)
    {
        await channel.Left.CancelAsync().ConfigureAwait(false);
        channel.End(null);
        await before.ConfigureAwait(false);
        if (channel.Room is { } room && work is not null)
        {
            try
            {
                await LeaveRoomAsync(room, work).ConfigureAwait(false);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogNotLeft(error, channel.Name); // a new connection follows only what is followed then
            }
        }
    }

    /// <summary>Tells the server, again while it refuses for the moment; a room that is followed makes it leave the one before.</summary>
    private async Task LeaveRoomAsync(string room, Work work)
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                await work.Link.LeaveRoomAsync(room, work.Token).ConfigureAwait(false);
                return;
            }
            catch (HubException error) when (_options.IsTransient(error) && !IsInRoom())
            {
                await _roomFollowed.WaitAsync(_policy.DelayAfter(failures), _options.Clock, work.Token).ConfigureAwait(false);
            }

            if (IsInRoom())
            {
                return;
            }
        }
    }

    private bool IsInRoom()
    {
        lock (_lock)
        {
            return _channels.Exists(channel => channel.Room is not null);
        }
    }

    /// <summary>The server won't let this channel be followed; the others go on.</summary>
    internal void Refuse(LiveChannel channel, LiveRefusedException error)
    {
        lock (_lock)
        {
            _channels.Remove(channel);
        }

        LogChannelRefused(error, channel.Name);
        channel.End(error);
    }

    private void Close(Exception? error)
    {
        var closed = new LiveStatus(LiveState.Closed, Error: error);
        List<LiveChannel> left;
        lock (_lock)
        {
            left = [.. _channels];
            _status = closed; // nothing is followed from here on, since nobody would end it
        }

        left.ForEach(channel => channel.End(error));
        Become(closed);
        if (error is null)
        {
            _connected.TrySetCanceled();
        }
        else
        {
            _connected.TrySetException(error);
        }
    }

    private void Become(LiveStatus status)
    {
        lock (_lock)
        {
            _status = status;
        }

        LogStatus(status.Error, status.State, status.RetryIn);
        try
        {
            StatusChanged?.Invoke(status);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogHandlerFailed(error);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Live connection: {State}, trying again in {RetryIn}")]
    private partial void LogStatus(Exception? error, LiveState state, TimeSpan? retryIn);

    [LoggerMessage(LogLevel.Error, "A handler of StatusChanged failed")]
    private partial void LogHandlerFailed(Exception error);

    [LoggerMessage(LogLevel.Debug, "{Channel} was left, which the server wasn't told")]
    private partial void LogNotLeft(Exception error, string channel);

    [LoggerMessage(LogLevel.Warning, "{Channel} can't be followed")]
    private partial void LogChannelRefused(Exception error, string channel);
}
