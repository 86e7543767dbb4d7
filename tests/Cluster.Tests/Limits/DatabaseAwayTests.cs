using System.Net;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests.Limits;

/// <summary>On a small cluster of its own, since nobody is to start PostgreSQL again before the test does.</summary>
[Collection(SharedCluster.Name)]
public sealed class DatabaseAwayTests
{
    [Fact]
    public async Task PostgreSQL_away_answers_503_and_recovers_by_itself()
    {
        var directory = Directory.CreateTempSubdirectory("marketplace-away-").FullName;
        try
        {
            await using var cluster = await LocalCluster.StartAsync(
                new LocalClusterOptions
                {
                    Directory = directory,
                    Silos = 1,
                    Frontends = 1,
                    WithNginx = false,
                    RestartsDeadProcesses = false,
                    Postgres = PostgresTuning.ThrowAway,
                },
                TextWriter.Null);
            await CheckAsync(cluster);
        }
        finally
        {
            await PostgresServer.TryDeleteAsync(Path.Combine(directory, "postgres"), TimeProvider.System);
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task CheckAsync(LocalCluster cluster)
    {
        var ping = new Uri(cluster.Frontends[0].Address, "/api/v1/ping");
        using var client = new HttpClient();
        await cluster.Postgres.KillAsync();

        var startedAt = TimeProvider.System.GetTimestamp();
        using var refused = await client.GetAsync(ping);
        var took = TimeProvider.System.GetElapsedTime(startedAt);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.False(await cluster.Frontends[0].IsReadyAsync());

        await cluster.Postgres.RestartAsync();
        await ClusterFixture.EventuallyAsync(
            async () =>
            {
                using var answer = await client.GetAsync(ping);
                return answer.StatusCode == HttpStatusCode.OK;
            },
            TimeSpan.FromSeconds(30),
            "the service did not recover");
    }
}
