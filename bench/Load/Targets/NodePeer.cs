using System.Globalization;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Bench.Load.Targets;

/// <summary>Starts the stack that is replaced, <c>bench/peers/node</c>: two Node workers and a Redis of their own.</summary>
internal static class NodePeer
{
    private static readonly string Folder = Path.Combine("bench", "peers", "node");

    /// <summary>Express with its limiter.</summary>
    public static Task<Target> StartNodeAsync(this Workbench workbench, string name, int limit, TimeSpan window) =>
        StartAsync(workbench, name, "server.js", new()
        {
            ["LIMIT"] = Text(limit),
            ["WINDOW_MS"] = Text((int)window.TotalMilliseconds),
        });

    /// <summary>Socket.IO with its Redis adapter.</summary>
    public static Task<Target> StartSocketIoServerAsync(this Workbench workbench, string name) =>
        StartAsync(workbench, name, "realtime.js", []);

    private static async Task<Target> StartAsync(
        Workbench workbench, string name, string program, Dictionary<string, string> environment)
    {
        var path = Path.Combine(Folder, program);
        if (!File.Exists(path) || !Directory.Exists(Path.Combine(Folder, "node_modules")))
        {
            throw new StartupException($"{path} or its node_modules are not there: run this by make, see bench/README.md.");
        }

        environment["NODE_ENV"] = "production";
        environment["REDIS_PORT"] = await StartRedisAsync(workbench);
        var port = environment["PORT"] = Text(LoopbackPorts.Pick());
        return await workbench.StartPeerAsync(name, [new ProcessPlan(
            "node",
            [Program("node"), Path.GetFullPath(path)],
            environment,
            new Uri($"http://127.0.0.1:{port}/"),
            "/api/health",
            Path.Combine(workbench.Directory, "node.log"))]);
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
        ?? throw new StartupException($"{name} is not installed: run this by make, see bench/README.md.");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
