using System.Globalization;
using System.Runtime.InteropServices;
using Marketplace.Bench.AspNet;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Bench.Load.Targets;

/// <summary>Starts plain ASP.NET Core, <c>bench/peers/AspNet</c>.</summary>
internal static class AspNetPeer
{
    private static readonly string Program = typeof(PeerSettings).Assembly.Location;

    public static Task<Target> StartAspNetAsync(
        this Workbench workbench, string name, PeerSettings settings, IReadOnlyDictionary<string, string>? environment = null)
    {
        var port = LoopbackPorts.Pick();
        return workbench.StartPeerAsync(name, new ProcessPlan(
            name,
            [
                Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"), Program,
                "--port", port.ToString(CultureInfo.InvariantCulture),
                "--limiter", settings.Limiter.ToString(),
                "--refusal", settings.Refusal.ToString(),
                "--limit", settings.Limit.ToString(CultureInfo.InvariantCulture),
                "--window", settings.Window.ToString("c", CultureInfo.InvariantCulture),
                .. settings.TokenKey is null ? Array.Empty<string>() : ["--tokenKey", settings.TokenKey, "--tokenKeyId", settings.TokenKeyId!],
            ],
            environment ?? new Dictionary<string, string>(),
            new Uri($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}/"),
            "/api/health",
            Path.Combine(workbench.Directory, $"aspnet-{port.ToString(CultureInfo.InvariantCulture)}.log")));
    }
}
