using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.Client;

/// <summary>
/// A room or the inbox, followed over all connections that come and go. Reading it (<c>await foreach</c>) gives every message once
/// and in order, one at a time; a <see cref="LiveReload"/> stands where messages are missing for good. It ends when the channel is
/// left or the connection is stopped, with a <see cref="LiveRefusedException"/> if the server refused.
/// </summary>
public sealed partial class LiveChannel : IAsyncEnumerable<LiveEvent>
{
    private const string RoomPrefix = "room/";

    private readonly Lock _lock = new();
    private readonly Signal _wake = new();
    private readonly Channel<LiveEvent> _queue = Channel.CreateUnbounded<LiveEvent>(); // bounded by Take
    private readonly LiveConnection _owner;
    private readonly LiveConnectionOptions _options;
    private readonly ReconnectPolicy _policy;
    private readonly ChannelCursor _cursor;
    private readonly PendingSends _sends;
    private LiveStamp? _position;
    private int _isRead;

    internal LiveChannel(string name, LiveStamp? after, LiveConnection owner, LiveConnectionOptions options, ReconnectPolicy policy)
    {
        (Name, _owner, _options, _policy, _position) = (name, owner, options, policy, after);
        _cursor = new(after);
        _sends = new(options, policy);
    }

    /// <summary>As it was asked for: <c>room/…</c> or <c>inbox</c>.</summary>
    public string Name { get; }

    /// <summary>
    /// The stamp of the last event that the reader is done with (it has asked for the next one); given to
    /// <see cref="LiveConnection.Follow"/> by a later run of the application, reading goes on from there.
    /// </summary>
    public LiveStamp? Position
    {
        get
        {
            lock (_lock)
            {
                return _position;
            }
        }
    }

    internal string? Room => Name.StartsWith(RoomPrefix, StringComparison.Ordinal) ? Name[RoomPrefix.Length..] : null;

    internal CancellationTokenSource Left { get; } = new();

    /// <summary>
    /// Says something in the room. It is repeated over new connections until it is stored, and stored once. Completes with its stamp.
    /// </summary>
    /// <param name="text">What to say: 4,000 characters at most, of which the server may take fewer.</param>
    /// <param name="clientMessageId">Names it, in 64 characters at most; the same name again is the same message. Null for a new name.</param>
    /// <param name="cancellationToken">Gives up; the message may have been stored all the same.</param>
    /// <exception cref="ArgumentException">Too long for any server.</exception>
    /// <exception cref="HubException">The server won't have it.</exception>
    /// <exception cref="InvalidOperationException">Not a room, or too many messages wait.</exception>
    public Task<LiveStamp> SendAsync(string text, string? clientMessageId = null, CancellationToken cancellationToken = default) =>
        Room is null
            ? throw new InvalidOperationException($"{Name} is no room.")
            : _sends.AddAsync(clientMessageId ?? Guid.NewGuid().ToString("N"), text, cancellationToken);

    /// <summary>Follows it no longer. What waits to be sent fails.</summary>
    public Task LeaveAsync() => _owner.LeaveAsync(this);

    /// <summary>Reads on from the last event that was read. One reader at a time.</summary>
    public async IAsyncEnumerator<LiveEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _isRead, 1) == 1)
        {
            throw new InvalidOperationException($"{Name} is being read already.");
        }

        try
        {
            while (await _queue.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
            {
                while (_queue.Reader.TryRead(out var e))
                {
                    yield return e;
                    Done(e);
                }
            }
        }
        finally
        {
            _isRead = 0;
        }
    }

    /// <summary>Whether a stamp's channel is this one; the inbox's full name carries the user's id.</summary>
    internal bool Is(string channel) =>
        channel.StartsWith(Name, StringComparison.Ordinal) && (channel.Length == Name.Length || channel[Name.Length] == '/');

    internal void Offer(LiveEvent e)
    {
        lock (_lock)
        {
            var isTaken = e is LiveReload ? _cursor.TakeReload(e.Stamp) : _cursor.Take(e.Stamp, _queue.Reader.Count < _options.QueueMax);
            if (isTaken)
            {
                _queue.Writer.TryWrite(e);
            }
            else if (_cursor.IsBehind)
            {
                _wake.Set();
            }
        }
    }

    /// <summary>Nothing comes any more.</summary>
    internal void End(Exception? error)
    {
        _queue.Writer.TryComplete(error);
        _sends.End(error ?? new OperationCanceledException($"{Name} is followed no longer."));
    }

    private void Done(LiveEvent e)
    {
        lock (_lock)
        {
            _position = e.Stamp;
            if (_cursor.IsBehind && HasRoom)
            {
                _wake.Set();
            }
        }
    }

    /// <summary>Asking takes a round trip, so it waits until there is room for many.</summary>
    private bool HasRoom => _queue.Reader.Count <= _options.QueueMax / 2;

    private void Do(Action act)
    {
        lock (_lock)
        {
            act();
        }
    }

    private T Do<T>(Func<T> act)
    {
        lock (_lock)
        {
            return act();
        }
    }
}
