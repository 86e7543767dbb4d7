using Marketplace.Grains.Frontends;
using Marketplace.Grains.Realtime;
using Marketplace.Grains.Storage;
using Marketplace.Testing;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace WebFrontend.Tests.Realtime;

/// <summary>Servers that share a hub: what a behaviour test runs against.</summary>
public abstract class Servers : IAsyncLifetime
{
    private readonly List<WebApplication> _apps = [];

    public int Count => _apps.Count;

    public abstract ValueTask InitializeAsync();

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var app in _apps)
        {
            await app.StopAsync(); // else Orleans' client gets calls when it is disposed already, which ends the process
            await app.DisposeAsync();
        }
    }

    /// <summary>The hub as code outside of it sees it, on one of the servers.</summary>
    public IHubContext<TestHub> Hub(int server) =>
        _apps[server % Count].Services.GetRequiredService<IHubContext<TestHub>>();

    public IHubContext<OtherHub, IOtherClient> OtherHub(int server) =>
        ServicesOf(server).GetRequiredService<IHubContext<OtherHub, IOtherClient>>();

    public IServiceProvider ServicesOf(int server) => _apps[server % Count].Services;

    public Uri AddressOf(int server) => new(ServicesOf(server).GetRequiredService<IServer>().Features
        .Get<IServerAddressesFeature>()!.Addresses.Single());

    /// <summary>A client that is connected to one of the servers (they are counted round).</summary>
    public Task<TestClient> ConnectAsync(int server, string? user = null, bool messagePack = false) =>
        ConnectToAsync(server, $"/hub?user={user}", messagePack);

    /// <summary>A client of any path.</summary>
    public async Task<TestClient> ConnectToAsync(int server, string path, bool messagePack)
    {
        var builder = new HubConnectionBuilder().WithUrl(new Uri(AddressOf(server), path));
        var client = new TestClient((messagePack ? builder.AddMessagePackProtocol() : builder).Build());
        await client.Connection.StartAsync();
        await client.Connection.InvokeAsync("BeHere"); // a client's start ends before the server has told the hub
        return client;
    }

    protected async Task StartAsync(Action<WebApplicationBuilder> configure)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSignalR(options => options.MaximumParallelInvocationsPerClient = 4).AddMessagePackProtocol();
        builder.Services.AddSingleton<IUserIdProvider, UserFromQuery>();
        configure(builder);
        var app = builder.Build();
        app.MapHub<TestHub>("/hub");
        app.MapHub<HistoryHub>("/history");
        app.MapHub<OtherHub>("/other");
        await app.StartAsync();
        _apps.Add(app);
    }

    private sealed class UserFromQuery : IUserIdProvider
    {
        public string? GetUserId(HubConnectionContext connection) => connection.GetHttpContext()?.Request.Query["user"];
    }
}

/// <summary>SignalR's own manager and one server: what the tests hold to be right.</summary>
public sealed class BuiltInServer : Servers
{
    public override async ValueTask InitializeAsync() => await StartAsync(_ => { });
}

/// <summary>Our manager: one silo, and three frontends that are clients of it.</summary>
public class OrleansServers : Servers
{
    private IHost _silo = null!;
    private NpgsqlDataSource _database = null!;

    public override async ValueTask InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync();
        var (siloPort, gatewayPort) = (TestPorts.Pick(), TestPorts.Pick());
        var silo = Host.CreateApplicationBuilder();
        silo.Logging.SetMinimumLevel(LogLevel.Warning);
        silo.UseOrleans(orleans => orleans
            .UseLocalhostClustering(siloPort, gatewayPort)
            .AddMemoryGrainStorageAsDefault(storage => storage.GrainStorageSerializer = new ReadableJsonSerializer())
            .AddFrontendLeases()
            .AddRealtime());
        silo.Services.AddSingleton(_database);
        _silo = silo.Build();
        await _silo.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await StartAsync(builder =>
            {
                builder.Host.UseOrleansClient(client => client.UseLocalhostClustering(gatewayPort));
                builder.Services.AddSignalR().AddOrleansBackplane();
                Configure(builder);
            });
        }
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await base.DisposeAsync();
        await _silo.StopAsync();
        _silo.Dispose();
        await _database.DisposeAsync();
    }

    /// <summary>Changes a frontend.</summary>
    protected virtual void Configure(WebApplicationBuilder frontend)
    {
    }
}
