using System.Net;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests;

public sealed class LocalClusterTests
{
    [Fact]
    public async Task A_cluster_of_real_processes_serves_keeps_its_ports_and_leaves_nothing_running()
    {
        var token = TestContext.Current.CancellationToken;
        var directory = Path.Combine(Path.GetTempPath(), $"marketplace-cluster-{Guid.NewGuid():N}");
        var options = new LocalClusterOptions
        {
            Silos = 1,
            Frontends = 1,
            Directory = directory,
            RestartsDeadProcesses = false,
            Postgres = PostgresTuning.ThrowAway,
        };
        using var output = new StringWriter();
        var pids = new List<int>();
        await using (var cluster = await LocalCluster.StartAsync(options, TextWriter.Synchronized(output), token))
        {
            using var http = new HttpClient();
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri(cluster.Address, "/api/health"), token)).StatusCode);

            var frontend = cluster.Frontends[0];
            var killed = frontend.Pid;
            frontend.Kill();
            await frontend.WaitForExitAsync(token);
            Assert.Equal(128 + UnixProcess.SigKill, frontend.ExitCode);
            await frontend.StartAsync(token);
            await frontend.WaitForReadyAsync(options.ReadyTimeout, token);
            Assert.NotEqual(killed, frontend.Pid);

            var second = await cluster.AddFrontendAsync(token);
            pids.AddRange([cluster.Postgres.ProcessId, cluster.Silos[0].Pid, frontend.Pid, second.Pid]);
            pids.AddRange(cluster.Nginx is { } nginx ? [nginx.Pid] : []);
            Assert.All(pids, pid => Assert.True(UnixProcess.IsAlive(pid)));
        }

        Assert.All(pids, pid => Assert.False(UnixProcess.IsAlive(pid)));
        Assert.DoesNotContain("was killed", output.ToString(), StringComparison.Ordinal);
        Assert.True(await PostgresServer.TryDeleteAsync(Path.Combine(directory, "postgres"), TimeProvider.System));
        Directory.Delete(directory, recursive: true);
    }
}
