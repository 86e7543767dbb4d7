using System.Security.Claims;
using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections;
using Marketplace.Grains.Realtime;
using Marketplace.Grains.Storage;
using Marketplace.Testing;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Orleans.TestingHost;

namespace WebFrontend.Tests.Connections;

/// <summary>A silo in memory and frontends on real sockets, whose users are whoever the query says.</summary>
internal sealed class HubHost : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;
    private readonly List<WebApplication> _frontends = [];

    private readonly NpgsqlDataSource _database;

    private HubHost(InProcessTestCluster cluster, NpgsqlDataSource database) => (_cluster, _database) = (cluster, database);

    public IGrainFactory Grains => _cluster.Client;

    public NpgsqlDataSource Database => _database;

    public static async Task<HubHost> StartAsync(int perUser = 5, int total = 1_000, WhenFull whenFull = WhenFull.Refuse)
    {
        var database = await TestDatabase.CreateAsync();
        var builder = new InProcessTestClusterBuilder(1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddMemoryGrainStorageAsDefault(storage => storage.GrainStorageSerializer = new ReadableJsonSerializer()).AddStorageTrouble()
                .AddConnections().AddRealtime();
            silo.Services.AddSingleton(database);
            silo.Services.Configure<FrontendLeaseSettings>(Patient);
            silo.Services.Configure<ConnectionCaps>(settings => (settings.PerUser, settings.Total, settings.WhenFull) = (perUser, total, whenFull));
        });
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new HubHost(cluster, database);
    }

    public async Task<WebApplication> StartFrontendAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(Grains);
        builder.Services.AddProblemResponses();
        builder.Services.AddConnectionLimits();
        builder.Services.Configure<FrontendLeaseSettings>(Patient);
        builder.Services.AddLive();
        builder.Services.AddAuthorization();
        var app = builder.Build();
        app.UseProblemResponses();
        app.Use((context, next) =>
        {
            if (context.Request.Query["access_token"] is [{ } user])
            {
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new("sub", user)], "test"));
            }

            return next(context);
        });
        app.UseAuthorization();
        app.MapLive();
        await app.StartAsync();
        await app.Services.GetRequiredService<Marketplace.WebFrontend.Frontends.IFrontendLease>().WaitForEpochAsync(default);
        _frontends.Add(app);
        return app;
    }

    public static HubConnection Connect(WebApplication frontend, string user, bool negotiate) =>
        new HubConnectionBuilder().WithUrl($"{frontend.Urls.First()}/hubs/live?access_token={user}", options =>
        {
            options.SkipNegotiation = !negotiate;
            options.Transports = HttpTransportType.WebSockets;
        }).Build();

    public static HubConnection Connect(Uri root, string user, HttpTransportType transport) =>
        new HubConnectionBuilder().WithUrl(new Uri(root, $"/hubs/live?access_token={user}"), transport).WithStatefulReconnect().Build();

    /// <summary>What the upgrade is answered with, by a client that shows it.</summary>
    public static async Task<HttpResponseMessage> UpgradeAsync(WebApplication frontend, string user)
    {
        using var client = new HttpClient();
        var request = new HttpRequestMessage(HttpMethod.Get, $"{frontend.Urls.First()}/hubs/live?access_token={user}");
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.ParseAdd("websocket");
        request.Headers.Add("Sec-WebSocket-Version", "13");
        request.Headers.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async Task<int> SlotsOfAsync(string user) => (await Grains.GetGrain<IUserConnectionsGrain>(user).List()).Count;

    public async ValueTask DisposeAsync()
    {
        foreach (var frontend in _frontends)
        {
            await frontend.DisposeAsync();
        }

        await _cluster.DisposeAsync();
        await _database.DisposeAsync();
    }

    /// <summary>No test waits for a term to end, and no process that is held up for seconds is to lose its lease.</summary>
    private static void Patient(FrontendLeaseSettings settings)
    {
        settings.Term = TimeSpan.FromSeconds(24);
        settings.RenewEvery = TimeSpan.FromSeconds(0.3);
        settings.CallDeadline = TimeSpan.FromSeconds(5);
        settings.AdmissionDeadline = TimeSpan.FromSeconds(10); // longer than a counter takes to make room, as in production
    }
}
