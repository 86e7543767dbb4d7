using Marketplace.Connections;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Connections;

// When a connection is over.
//
// Over WebSockets a connection is one request, over server-sent events one GET beside many POSTs, over long polling many
// requests with pauses between them; and a stateful reconnect puts a second WebSocket in the place of the first, after up to
// half a minute without any. What they have in common is the hub, which runs from the first request to the end. So a
// connection lives while its hub runs or a request is open that may carry something to the client, and is over when neither
// is: its slot is given back then and not before. SignalR may keep what is left of it for a while; a poll that comes late
// finds the hub's last words, and no hub.
//
// A connection that was cut is dead to every request that comes later, since SignalR itself would let a stateful reconnect
// or a poll back in.
internal sealed class AdmittedConnection : IHubConnectionFeature
{
    /// <summary>How long a hub may take to start once its first poll was accepted; it is waiting for a thread.</summary>
    private static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(5);

    /// <summary>For a client to hear why, and to close by itself.</summary>
    private static readonly TimeSpan GoodbyeWithin = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _cut;
    private readonly CancellationToken _cutToken;
    private readonly TimeProvider _clock;
    private ConnectionContext? _connection;
    private int _carriers;
    private bool _isHubDone;
    private bool _isOver;
    private bool _isClosing;

    /// <param name="end">When it is cut off at the latest.</param>
    /// <param name="clock">The clock.</param>
    public AdmittedConnection(CancellationTokenSource end, TimeProvider clock)
    {
        (_cut, _cutToken, _clock) = (end, end.Token, clock);
    }

    /// <summary>Its name among the user's slots.</summary>
    public required Guid Name { get; init; }

    public required string User { get; init; }

    /// <summary>The lease that it is held under.</summary>
    public required long Epoch { get; init; }

    public required ConnectionTransport Transport { get; init; }

    /// <summary>SignalR's name for it, which only the client knows; null for a WebSocket that came without negotiation.</summary>
    public string? Token { get; init; }

    /// <summary>The hub's view of it, once there is one.</summary>
    public HubConnectionContext? Hub { get; set; }

    /// <summary>Completes when it is over.</summary>
    public Task Over => _over.Task;

    /// <summary>Whether it has become a connection of the hub.</summary>
    public bool HasRun => _connection is not null;

    public bool IsCut => _cutToken.IsCancellationRequested;

    /// <summary>Whether a request may carry something to the client.</summary>
    public static bool IsCarrier(HttpRequest request) => HttpMethods.IsGet(request.Method) || HttpMethods.IsConnect(request.Method);

    public static AdmittedConnection? Of(ConnectionContext connection) =>
        connection.GetHttpContext()?.Items.TryGetValue(typeof(AdmittedConnection), out var admitted) == true
            ? (AdmittedConnection?)admitted : null;

    /// <summary>Passes on one of its requests, and aborts it when the connection is cut.</summary>
    public async Task ServeAsync(HttpContext context, RequestDelegate next)
    {
        var isCarrier = IsCarrier(context.Request);
        if (isCarrier)
        {
            lock (_gate)
            {
                _carriers++;
            }
        }

        try
        {
            context.Items[typeof(AdmittedConnection)] = this;
            await using (_cutToken.UnsafeRegister(static request => ((HttpContext)request!).Abort(), context))
            {
                await next(context);
            }

            if (isCarrier && context.Response.StatusCode == StatusCodes.Status200OK && !_started.Task.IsCompleted)
            {
                // The first poll is answered before the hub runs; between the two the connection mustn't seem to be over.
                await _started.Task.WaitAsync(StartsWithin, _clock, _cutToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            if (isCarrier)
            {
                Change(() => _carriers--);
            }
        }
    }

    /// <summary>The hub begins to run; false if it may not, since the connection is over.</summary>
    public bool TryStart(ConnectionContext connection)
    {
        lock (_gate)
        {
            if (_isOver || IsCut)
            {
                return false;
            }

            _connection = connection;
        }

        connection.Features.Set<IHubConnectionFeature>(this);
        _cutToken.UnsafeRegister(static self => ((AdmittedConnection)self!).Abort(), this);
        _started.TrySetResult();
        return true;
    }

    /// <summary>It never became one, and is over.</summary>
    public void Abandon() => Change(() => { });

    public void HubEnded() => Change(() => _isHubDone = true);

    /// <summary>Calls <paramref name="action"/> when SignalR has forgotten it as well.</summary>
    public void WhenForgotten(Action<AdmittedConnection> action)
    {
        if (_connection is { } connection)
        {
            connection.ConnectionClosed.UnsafeRegister(_ => action(this), null);
        }
        else
        {
            action(this);
        }
    }

    /// <summary>Has it closed, with a reason that the client is told.</summary>
    public async Task CloseAsync(string reason)
    {
        if (Interlocked.Exchange(ref _isClosing, true))
        {
            return; // an order may be repeated
        }

        if (Hub is { } hub)
        {
            await TellAsync(hub, reason).WaitAsync(GoodbyeWithin, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            hub.Abort();
            await Over.WaitAsync(GoodbyeWithin, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Cut();
    }

    private static async Task TellAsync(HubConnectionContext hub, string reason) =>
        await hub.WriteAsync(new CloseMessage(reason, allowReconnect: false));

    private void Cut()
    {
        lock (_gate)
        {
            if (_isOver)
            {
                return; // and what it is cut by is disposed
            }
        }

        try
        {
            _cut.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // over at this very moment
        }
    }

    private void Abort()
    {
        Hub?.Abort();
        _connection?.Abort();
    }

    private void Change(Action change)
    {
        lock (_gate)
        {
            change();
            if (_isOver || _carriers > 0 || (_connection is not null && !_isHubDone))
            {
                return;
            }

            _isOver = true;
        }

        _cut.Dispose();
        _over.SetResult();
    }
}
