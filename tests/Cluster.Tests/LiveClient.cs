using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Connections.Client;
using Microsoft.AspNetCore.SignalR.Client;

namespace Cluster.Tests;

/// <summary>
/// A client of one frontend's live hub that keeps what it is sent; or the refusal that it got. Each has an address of its
/// own, so that a 429 is the cap's and never the rate limiter's.
/// </summary>
internal sealed class LiveClient : IAsyncDisposable
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(20);
    private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> _heard = new();
    private readonly ConcurrentQueue<string> _presences = new();
    private readonly string _address = ClusterFixture.NewAddress();
    private readonly string _accessToken;
    private readonly HubConnection _connection;
    private readonly TaskCompletionSource<DrainNotice> _draining = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<long> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isClosed;

    private LiveClient(ClusterUser user, Uri frontend, bool negotiates)
    {
        _accessToken = user.AccessToken;
        _connection = new HubConnectionBuilder()
            .WithUrl(new Uri(frontend, "/hubs/live"), HttpTransportType.WebSockets, options =>
            {
                options.AccessTokenProvider = () => Task.FromResult<string?>(_accessToken);
                options.Headers["X-Forwarded-For"] = _address;
                options.WebSocketFactory = OpenAsync;
                options.SkipNegotiation = !negotiates;
            })
            .Build();
        _connection.Closed += _ =>
        {
            _isClosed = true;
            _closed.TrySetResult(TimeProvider.System.GetTimestamp());
            return Task.CompletedTask;
        };
        _connection.On<int>("Draining", afterMs => _draining.TrySetResult(new(afterMs, TimeProvider.System.GetTimestamp())));
        foreach (var name in new[] { "Chat", "Notification" })
        {
            _connection.On<JsonObject, JsonObject>(name, (_, message) => Keep(name, message));
        }

        _connection.On<JsonObject>("Presence", presence => _presences.Enqueue(string.Join(
            ", ", presence["users"]!.AsArray().Select(user => $"{user!["user"]} {user["devices"]}"))));
        _connection.On<JsonObject>("Broadcast", message => Keep("Broadcast", message));
    }

    /// <summary>101 if it got in; the status of the refusal, of the negotiation or of the upgrade; 0 if the connection broke.</summary>
    public HttpStatusCode Status { get; private set; }

    /// <summary>Who it was told is in its room, each time.</summary>
    public IReadOnlyList<string> Presences => [.. _presences];

    /// <summary>Who it was told last is in its room.</summary>
    public string? Presence => _presences.LastOrDefault();

    /// <summary>Whether it got in and was never closed since.</summary>
    public bool IsLive => Status == HttpStatusCode.SwitchingProtocols && !_isClosed;

    /// <summary>Completes when it is told that its frontend is about to stop.</summary>
    public Task<DrainNotice> Draining => _draining.Task;

    /// <summary>Completes with the moment when it was closed, by whomever.</summary>
    public Task<long> Closed => _closed.Task;

    /// <summary>Connects. Through a balancer not to <paramref name="negotiates"/>: the connection might reach another frontend.</summary>
    public static async Task<LiveClient> ConnectAsync(ClusterUser user, Uri frontend, bool negotiates = true)
    {
        var client = new LiveClient(user, frontend, negotiates);
        try
        {
            await client._connection.StartAsync();
            client.Status = HttpStatusCode.SwitchingProtocols;
        }
        catch (HttpRequestException refused)
        {
            client.Status = refused.StatusCode ?? 0;
        }
        catch (Exception error) when (error is AggregateException or WebSocketException or IOException or OperationCanceledException)
        {
            // The upgrade was refused, which OpenAsync noted, or the frontend died in the middle of it.
        }

        return client;
    }

    /// <summary>How a connection fares that is closed again at once.</summary>
    public static async Task<HttpStatusCode> TryAsync(ClusterUser user, Uri frontend)
    {
        await using var client = await ConnectAsync(user, frontend);
        return client.Status;
    }

    public Task InvokeAsync(string method, params object?[] arguments) =>
        _connection.InvokeCoreAsync(method, arguments).WaitAsync(AnswerWithin, TimeProvider.System);

    /// <summary>Whether the server's end lives too: it answers a call that does nothing.</summary>
    public async Task<bool> AnswersAsync()
    {
        await InvokeAsync("LeaveRoom", "nowhere");
        return IsLive;
    }

    /// <summary>The text of the next message of that name.</summary>
    public async Task<string> NextAsync(string name)
    {
        string? text = null;
        await ClusterFixture.EventuallyAsync(
            () => Task.FromResult(_heard.TryGetValue(name, out var queue) && queue.TryDequeue(out text)),
            AnswerWithin,
            $"no {name} came");
        return text!;
    }

    public int Count(string name) => _heard.TryGetValue(name, out var queue) ? queue.Count : 0;

    private void Keep(string name, JsonObject message) => _heard.GetOrAdd(name, _ => new()).Enqueue((string)message["text"]!);

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>As SignalR would do it, which keeps the status of a refusal to itself.</summary>
    private async ValueTask<WebSocket> OpenAsync(WebSocketConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.SetRequestHeader("Authorization", $"Bearer {_accessToken}");
        socket.Options.SetRequestHeader("X-Forwarded-For", _address);
        try
        {
            await socket.ConnectAsync(context.Uri, cancellationToken);
            return socket;
        }
        catch (WebSocketException)
        {
            Status = socket.HttpStatusCode;
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>A frontend's word that it is about to stop.</summary>
/// <param name="AfterMs">In how many milliseconds to connect anew.</param>
/// <param name="At">When it came.</param>
internal sealed record DrainNotice(int AfterMs, long At);
