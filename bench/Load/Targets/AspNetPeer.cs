using System.Globalization;
using System.Runtime.InteropServices;
using Marketplace.Bench.AspNet;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Bench.Load.Targets;

/// <summary>Starts plain ASP.NET Core, <c>bench/peers/AspNet</c>, and the same with our backplane, <c>bench/peers/Backplane</c>.</summary>
internal static class AspNetPeer
{
    private const string Plain = "Marketplace.Bench.AspNet.dll";
    private const string WithBackplane = "Marketplace.Bench.Backplane.dll";

    public static Task<Target> StartAspNetAsync(
        this Workbench workbench, string name, PeerSettings settings, IReadOnlyDictionary<string, string>? environment = null, int processes = 1) =>
        workbench.StartPeerAsync(name, Enumerable.Range(1, processes).Select(number => Plan(
            workbench,
            string.Create(CultureInfo.InvariantCulture, $"plain-{number}"),
            Plain,
            settings,
            environment ?? new Dictionary<string, string>())));

    /// <summary>Starts processes that host the hub together.</summary>
    /// <param name="workbench">Ends them.</param>
    /// <param name="name">As the report calls them all.</param>
    /// <param name="settings">With a key, without which there is no hub.</param>
    /// <param name="cluster">Whose silos they are clients of.</param>
    /// <param name="processes">How many.</param>
    /// <param name="environment">Variables of each.</param>
    public static Task<Target> StartBackplaneAsync(
        this Workbench workbench,
        string name,
        PeerSettings settings,
        LocalCluster cluster,
        int processes,
        IReadOnlyDictionary<string, string> environment) =>
        workbench.StartPeerAsync(name, Enumerable.Range(1, processes).Select(number =>
        {
            var process = string.Create(CultureInfo.InvariantCulture, $"backplane-{number}");
            return Plan(workbench, process, WithBackplane, settings, new Dictionary<string, string>(environment)
            {
                ["Database__ConnectionString"] = cluster.Postgres.ConnectionString,
                ["Frontend__Name"] = process, // of its lease, in the silos' logs
            });
        }));

    private static ProcessPlan Plan(
        Workbench workbench, string name, string program, PeerSettings settings, IReadOnlyDictionary<string, string> environment)
    {
        var port = LoopbackPorts.Pick().ToString(CultureInfo.InvariantCulture);
        return new(
            name,
            [
                Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"),
                Path.Combine(AppContext.BaseDirectory, program),
                "--port", port,
                "--limiter", settings.Limiter.ToString(),
                "--refusal", settings.Refusal.ToString(),
                "--limit", settings.Limit.ToString(CultureInfo.InvariantCulture),
                "--window", settings.Window.ToString("c", CultureInfo.InvariantCulture),
                .. settings.TokenKey is null ? Array.Empty<string>() : ["--tokenKey", settings.TokenKey, "--tokenKeyId", settings.TokenKeyId!],
            ],
            environment,
            new Uri($"http://127.0.0.1:{port}/"),
            "/api/health",
            Path.Combine(workbench.Directory, $"aspnet-{port}.log"));
    }
}
