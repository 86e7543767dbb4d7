using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Marketplace.Client;

/// <summary>What the server answers to Resume.</summary>
internal sealed record ResumeAnswer(LiveStamp Stamp, bool IsReload);

/// <summary>What a link brings, in the order in which it came.</summary>
internal interface ILiveSink
{
    void OnEvent(LiveLink link, LiveEvent e);

    void OnBroadcast(BroadcastMessage message);
}

/// <summary>One connection to one server, from its opening to its end. SignalR's own reconnecting, where the server grants it
/// (stateful reconnect), happens inside of it and is not seen here.</summary>
internal sealed class LiveLink : IAsyncDisposable
{
    /// <summary>How SignalR's client begins what it says when the server closes the connection with an error, which follows.</summary>
    private const string ClosedByServer = "The server closed the connection";

    /// <summary>How the server begins to say why it closes a connection that it doesn't want back.</summary>
    private const string Replaced = "This connection was replaced";
    private const string ClosedByOperator = "This connection was closed by an operator";

    private static readonly TimeSpan DisposedWithin = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<TimeSpan> _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HubConnection _connection;
    private readonly LiveConnectionOptions _options;

    private LiveLink(HubConnection connection, LiveConnectionOptions options, ILiveSink sink)
    {
        (_connection, _options) = (connection, options);
        connection.On<LiveStamp, ChatMessage>("Chat", (stamp, message) => sink.OnEvent(this, new LiveChat(stamp, message)));
        connection.On<LiveStamp, NotificationMessage>(
            "Notification", (stamp, message) => sink.OnEvent(this, new LiveNotification(stamp, message)));
        connection.On<LiveStamp>("Reload", stamp => sink.OnEvent(this, new LiveReload(stamp)));
        connection.On<BroadcastMessage>("Broadcast", sink.OnBroadcast);
        connection.On<long>("Draining", afterMs => _draining.TrySetResult(TimeSpan.FromMilliseconds(Math.Clamp(afterMs, 0, 600_000))));
        connection.Reconnecting += error =>
        {
            Break(error); // an application has it reconnect by itself: the server would know nothing of what is followed
            return Task.CompletedTask;
        };
        connection.Closed += error =>
        {
            Refusal = ToRefusal(error);
            _closed.TrySetResult();
            _ended.TrySetResult(error);
            return Task.CompletedTask;
        };
    }

    /// <summary>Completes when the connection has ended, with the reason if there is one.</summary>
    public Task<Exception?> Ended => _ended.Task;

    /// <summary>
    /// The server's reason if it closed the connection for good. It is known once the link is disposed, and not before: calls that
    /// the close has broken may have ended the link before SignalR says why.
    /// </summary>
    public LiveRefusedException? Refusal { get; private set; }

    /// <summary>Completes when the server says that it will stop, with the time that it gives.</summary>
    public Task<TimeSpan> Draining => _draining.Task;

    /// <summary>Connects.</summary>
    /// <exception cref="LiveOpenException">It didn't succeed, or not within the time that a call may take.</exception>
    public static async Task<LiveLink> OpenAsync(
        LiveConnectionOptions options, Uri url, bool isTokenRefused, bool skipNegotiation, ILiveSink sink, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(options.CallTimeout, options.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var untilOpen = either.Token;
        var watch = new RefusalWatch(token => options.AccessToken(isTokenRefused, token), options.CallTimeout, options.Clock);
        var builder = new HubConnectionBuilder().WithUrl(url, HttpTransportType.WebSockets, http =>
        {
            options.ConfigureHttp?.Invoke(http);
            http.SkipNegotiation = skipNegotiation;

            // SignalR itself would wait for the token without end.
            http.AccessTokenProvider = () => options.AccessToken(isTokenRefused, untilOpen).WaitAsync(untilOpen);
            http.WebSocketFactory = watch.OpenAsync;
            var inner = http.HttpMessageHandlerFactory;
            http.HttpMessageHandlerFactory = handler => watch.Watch(inner?.Invoke(handler) ?? handler);
        });
        if (!skipNegotiation)
        {
            builder.WithStatefulReconnect();
        }

        builder.Services.AddSingleton(options.Loggers);
        options.ConfigureHub?.Invoke(builder);
        var link = new LiveLink(builder.Build(), options, sink);
        try
        {
            await link._connection.StartAsync(untilOpen).ConfigureAwait(false);
            return link;
        }
        catch (Exception error)
        {
            link._closed.TrySetResult(); // it never was open, and SignalR won't say
            await link.DisposeAsync().ConfigureAwait(false);
            if (error is OperationCanceledException && cancellationToken.IsCancellationRequested)
            {
                throw;
            }

            throw new LiveOpenException(watch.Status, watch.RetryAfter, watch.IsNegotiated, error);
        }
    }

    public async Task<ResumeAnswer> ResumeAsync(string channel, LiveStamp? after, CancellationToken cancellationToken)
    {
        var point = new { Channel = channel, after?.Epoch, Number = after?.Number ?? 0 };
        var answers = await InvokeAsync<ResumeAnswer[]>("Resume", [new[] { point }], cancellationToken).ConfigureAwait(false);
        return answers is [{ Stamp: not null } answer] ? answer : throw new IOException("The answer to Resume can't be understood.");
    }

    public Task<LiveStamp> SendChatAsync(string id, string text, CancellationToken cancellationToken) =>
        InvokeAsync<LiveStamp>("SendChat", [id, text], cancellationToken);

    public Task LeaveRoomAsync(string room, CancellationToken cancellationToken) =>
        InvokeAsync<object?>("LeaveRoom", [room], cancellationToken);

    /// <summary>Takes the connection for broken: it ends, and another takes its place.</summary>
    public void Break(Exception? error) => _ended.TrySetResult(error);

    /// <summary>Closes it. What takes more than a second of that, such as a stateful reconnect under way, is not waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        _ended.TrySetResult(null);
        await CloseAsync().WaitAsync(DisposedWithin, _options.Clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task CloseAsync()
    {
        await _connection.DisposeAsync().ConfigureAwait(false);
        await _closed.Task.ConfigureAwait(false);
    }

    private static LiveRefusedException? ToRefusal(Exception? closed)
    {
        if (closed is not HubException || !closed.Message.StartsWith(ClosedByServer, StringComparison.Ordinal))
        {
            return null;
        }

        var reason = closed.Message[(closed.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..];
        return reason.StartsWith(Replaced, StringComparison.Ordinal) || reason.StartsWith(ClosedByOperator, StringComparison.Ordinal)
            ? new(reason, closed)
            : null;
    }

    private async Task<T> InvokeAsync<T>(string method, object?[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            return await _connection.InvokeCoreAsync<T>(method, arguments, cancellationToken)
                .WaitAsync(_options.CallTimeout, _options.Clock, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException silence)
        {
            Break(silence);
            throw;
        }
        catch (HubException closed) when (closed.Message.StartsWith(ClosedByServer, StringComparison.Ordinal))
        {
            throw new IOException(closed.Message, closed); // no answer to this call: the connection ended under it
        }
    }
}
