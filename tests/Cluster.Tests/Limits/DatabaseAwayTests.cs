using System.Net;
using System.Net.Http.Json;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests.Limits;

/// <summary>On a small cluster of its own, since nobody is to start PostgreSQL again before the test does.</summary>
[Collection(SharedCluster.Name)]
public sealed class DatabaseAwayTests
{
    [Fact]
    public async Task With_PostgreSQL_away_general_takes_its_local_share_the_email_check_denies_and_both_recover()
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
        using var refused = await client.PostAsJsonAsync(
            new Uri(cluster.Frontends[0].Address, "/api/v1/auth/email-check"), new { email = "ada@example.org" });
        var took = TimeProvider.System.GetElapsedTime(startedAt);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(8)); // general's deadline, and its own
        await ClusterFixture.EventuallyAsync( // what is said may be a second old
            async () => !await cluster.Frontends[0].IsReadyAsync(), TimeSpan.FromSeconds(8), "it says that it is ready");

        // One frontend's share is the whole limit. The email check above took one of it.
        var statuses = await Task.WhenAll(Enumerable.Range(0, 250).Select(async _ =>
        {
            using var answer = await client.GetAsync(ping);
            return answer.StatusCode;
        }));
        Assert.InRange(statuses.Count(status => status == HttpStatusCode.OK), 199, 200);
        Assert.Equal(250, statuses.Count(status => status is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable));

        await cluster.Postgres.RestartAsync();
        await ClusterFixture.EventuallyAsync(
            async () =>
            {
                using var answer = await client.GetAsync(ping);
                return answer.StatusCode == HttpStatusCode.OK && answer.Headers.Contains("RateLimit");
            },
            TimeSpan.FromSeconds(30),
            "the service did not recover");
    }
}
