using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Client.Tests;

/// <summary>A live hub with as many faults as a test wants.</summary>
internal sealed class FakeServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeServer(WebApplication app, FakeHistory history) => (_app, History) = (app, history);

    public FakeHistory History { get; }

    /// <summary>Whether a negotiation or an upgrade is never answered.</summary>
    public Func<HttpContext, bool> IsSilent { get; set; } = _ => false;

    /// <summary>Refuses a negotiation or an upgrade: a status and Retry-After, or null.</summary>
    public Func<HttpContext, (int Status, string? RetryAfter)?> Refuse { get; set; } = _ => null;

    /// <summary>Answers a call otherwise: an error's text, "cut" or null. Comes after a message was stored.</summary>
    public Func<string, object?, string?> Disturb { get; set; } = (_, _) => null;

    public ConcurrentQueue<(string Method, string Argument)> Calls { get; } = new();

    public ConcurrentDictionary<string, HubCallerContext> Connections { get; } = new();

    public int Negotiations;

    public Uri Url => new($"{_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()}/hub");

    public IHubContext<FakeHub> Hub => _app.Services.GetRequiredService<IHubContext<FakeHub>>();

    public static async Task<FakeServer> StartAsync(FakeHistory? history = null, bool isStateful = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSignalR();
        builder.Services.AddSingleton<FakeConnections>();
        builder.Services.AddSingleton<HubLifetimeManager<FakeHub>>(services => services.GetRequiredService<FakeConnections>());
        FakeServer? server = null;
        builder.Services.AddSingleton(_ => server!);
        var app = builder.Build();
        server = new(app, history ?? new());
        app.Use(async (context, next) =>
        {
            if (context.Request.Path.Value!.EndsWith("negotiate", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref server.Negotiations);
            }

            if (server.IsSilent(context))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return;
            }

            if (server.Refuse(context) is not { } refusal)
            {
                await next(context);
                return;
            }

            context.Response.StatusCode = refusal.Status;
            if (refusal.RetryAfter is { } retryAfter)
            {
                context.Response.Headers.RetryAfter = retryAfter;
            }
        });
        app.MapHub<FakeHub>("/hub", options => options.AllowStatefulReconnects = isStateful);
        await app.StartAsync();
        return server;
    }

    /// <summary>Ends all connections, and returns which those were.</summary>
    public IReadOnlyCollection<string> Cut()
    {
        var connections = Connections.Values;
        foreach (var connection in connections)
        {
            connection.Abort();
        }

        return [.. connections.Select(connection => connection.ConnectionId)];
    }

    /// <summary>Closes all connections with a reason; unless it allows them to reconnect, as a server does that doesn't want them back.</summary>
    public async Task CloseAsync(string reason, bool allowReconnect = false)
    {
        foreach (var connection in _app.Services.GetRequiredService<FakeConnections>().All.Values)
        {
            await connection.WriteAsync(new CloseMessage(reason, allowReconnect));
            connection.Abort();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _app.DisposeAsync();
    }
}

/// <summary>Has the side of connections by which they can be told anything, such as why they are closed.</summary>
internal sealed class FakeConnections(ILogger<DefaultHubLifetimeManager<FakeHub>> logger) : DefaultHubLifetimeManager<FakeHub>(logger)
{
    public ConcurrentDictionary<string, HubConnectionContext> All { get; } = new();

    public override Task OnConnectedAsync(HubConnectionContext connection)
    {
        All[connection.ConnectionId] = connection;
        return base.OnConnectedAsync(connection);
    }

    public override Task OnDisconnectedAsync(HubConnectionContext connection)
    {
        All.TryRemove(connection.ConnectionId, out _);
        return base.OnDisconnectedAsync(connection);
    }
}

internal sealed class FakeHub(FakeServer server) : Hub
{
    public override Task OnConnectedAsync()
    {
        server.Connections[Context.ConnectionId] = Context;
        return Task.CompletedTask;
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        server.Connections.TryRemove(Context.ConnectionId, out _);
        server.History.Gone(Context.ConnectionId);
        return Task.CompletedTask;
    }

    public object[] Resume(IReadOnlyList<Point> points)
    {
        server.Calls.Enqueue(("Resume", points[0].Channel));
        Disturb("Resume", points[0].Channel);
        return [.. points.Select(point =>
        {
            if (point.Channel != "inbox")
            {
                Context.Items["room"] = point.Channel;
            }

            var channel = point.Channel == "inbox" ? "inbox/me" : point.Channel;
            return server.History.Resume(channel, point.Epoch, point.Number, Context.ConnectionId, Clients.Caller);
        })];
    }

    public object SendChat(string id, string text)
    {
        server.Calls.Enqueue(("SendChat", id));
        var stamp = server.History.Say((string)Context.Items["room"]!, text, id);
        Disturb("SendChat", text);
        return stamp;
    }

    public void LeaveRoom(string room)
    {
        server.Calls.Enqueue(("LeaveRoom", room));
        Disturb("LeaveRoom", room);
        server.History.Leave($"room/{room}", Context.ConnectionId);
    }

    private void Disturb(string method, object? argument)
    {
        if (server.Disturb(method, argument) is { } disturbance)
        {
            if (disturbance == "cut")
            {
                Context.Abort();
            }

            throw new HubException(disturbance);
        }
    }

    internal sealed record Point(string Channel, string? Epoch, long Number);
}
