using System.Globalization;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>Starts what is measured.</summary>
internal static class Contenders
{
    private const string PlainHub = "/hubs/plain";

    /// <summary>How often a client tries to connect where connecting is not what is measured.</summary>
    private const int Attempts = 10;

    /// <summary>The marketplace as it comes, but for the numbers that a crowd needs and rooms that anybody may enter.</summary>
    public static async Task<Contender> StartMarketplaceAsync(
        this Workbench<RealtimeOptions> workbench, int frontends, int connections, int attempts = Attempts, int silos = 1, bool returns = false)
    {
        var settings = new Dictionary<string, string>(HeapProbe.Settings(workbench.Directory))
        {
            ["Connections__Total"] = Text(connections),
            ["Frontend__MaxConnections"] = Text(connections + 1_000),
            ["Live__OpenRooms"] = "true",
        };
        var target = await workbench.StartMarketplaceAsync(
            string.Create(CultureInfo.InvariantCulture, $"marketplace, {frontends} frontends"), settings, frontends, silos);
        var cluster = target.Cluster!;
        return await Contender.StartAsync(
            target,
            new CrowdPlan
            {
                Connections = connections,
                Attempts = attempts,
                Returns = returns,
                Resumes = returns,
                Targets = target.Addresses,
                TokenKey = await ServiceKey.ReadAsync(
                    cluster.Postgres.ConnectionString, cluster.Frontends[0].Address, workbench.Stopping),
            },
            workbench.Stopping);
    }

    /// <summary>Plain SignalR's hub; several processes of it know nothing of each other.</summary>
    public static async Task<Contender> StartPlainSignalRAsync(
        this Workbench<RealtimeOptions> workbench, int connections, int processes = 1)
    {
        var key = TokenKey.New();
        var target = await workbench.StartAspNetAsync(
            processes == 1 ? "plain SignalR, one process" : string.Create(CultureInfo.InvariantCulture, $"plain SignalR, {processes} processes"),
            new() { TokenKey = key.PublicKey(), TokenKeyId = key.Id },
            HeapProbe.Settings(workbench.Directory),
            processes);
        return await Contender.StartAsync(
            target,
            new CrowdPlan { Connections = connections, Targets = target.Addresses, Path = PlainHub, TokenKey = key },
            workbench.Stopping);
    }

    /// <summary>Plain SignalR's hub, hosted by several processes with our backplane and nothing else of ours.</summary>
    /// <param name="workbench">Ends them.</param>
    /// <param name="marketplace">Whose silo they share.</param>
    /// <param name="processes">How many.</param>
    /// <param name="connections">How many are meant to be there at most.</param>
    public static async Task<Contender> StartBackplaneAsync(
        this Workbench<RealtimeOptions> workbench, Contender marketplace, int processes, int connections)
    {
        var key = TokenKey.New();
        var target = await workbench.StartBackplaneAsync(
            string.Create(CultureInfo.InvariantCulture, $"backplane alone, {processes} processes"),
            new() { TokenKey = key.PublicKey(), TokenKeyId = key.Id },
            marketplace.Target.Cluster!,
            processes,
            HeapProbe.Settings(workbench.Directory));
        return await Contender.StartAsync(
            target,
            new CrowdPlan { Connections = connections, Attempts = Attempts, Targets = target.Addresses, Path = PlainHub, TokenKey = key },
            workbench.Stopping);
    }

    public static async Task<Contender> StartSocketIoAsync(this Workbench<RealtimeOptions> workbench, int connections)
    {
        var target = await workbench.StartSocketIoServerAsync("Socket.IO × 2, Redis");
        return await Contender.StartAsync(
            target,
            new CrowdPlan { Connections = connections, Targets = target.Addresses, Path = "/socket.io/", Protocol = WireKind.SocketIo },
            workbench.Stopping);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
