using System.Globalization;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Bench.Load.Targets;

/// <summary>Starts the stack that is replaced, <c>bench/peers/node</c>: two Node workers and a Redis of their own.</summary>
internal static class NodePeer
{
    private static readonly string Server = Path.Combine("bench", "peers", "node", "server.js");

    public static async Task<Target> StartNodeAsync(this Workbench workbench, string name, int limit, TimeSpan window)
    {
        if (!File.Exists(Server) || !Directory.Exists(Path.Combine(Path.GetDirectoryName(Server)!, "node_modules")))
        {
            throw new StartupException($"{Server} or its node_modules are not there: run this by 'make bench-limits'.");
        }

        var redisPort = await StartRedisAsync(workbench);
        var port = Text(LoopbackPorts.Pick());
        return await workbench.StartPeerAsync(name, new ProcessPlan(
            "node",
            [Program("node"), Path.GetFullPath(Server)],
            new Dictionary<string, string>
            {
                ["NODE_ENV"] = "production",
                ["PORT"] = port,
                ["REDIS_PORT"] = redisPort,
                ["LIMIT"] = Text(limit),
                ["WINDOW_MS"] = Text((int)window.TotalMilliseconds),
            },
            new Uri($"http://127.0.0.1:{port}/"),
            "/api/health",
            Path.Combine(workbench.Directory, "node.log")));
    }

    /// <summary>Redis as it comes: its own defaults, snapshots included, but a port and a directory of ours.</summary>
    private static async Task<string> StartRedisAsync(Workbench workbench)
    {
        var port = Text(LoopbackPorts.Pick());
        var data = Directory.CreateDirectory(Path.Combine(workbench.Directory, "redis")).FullName;
        await workbench.StartAsync(new ProcessPlan(
            "redis",
            [Program("redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", data],
            new Dictionary<string, string>(),
            new Uri($"tcp://127.0.0.1:{port}/"),
            "", // it speaks no HTTP: Node is ready only when it is
            Path.Combine(workbench.Directory, "redis.log")));
        return port;
    }

    private static string Program(string name) => ManagedProcess.FindInPath(name)
        ?? throw new StartupException($"{name} is not installed: run this by 'make bench-limits'.");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
