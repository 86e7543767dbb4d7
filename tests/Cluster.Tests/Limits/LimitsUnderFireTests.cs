using System.Net;
using Marketplace.Cluster;

namespace Cluster.Tests.Limits;

public sealed class LimitsUnderFireTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int Limit = 200;

    private LocalCluster Cluster => Fixture.Cluster;

    [Fact]
    public async Task Four_hundred_requests_of_one_address_over_two_frontends_admit_exactly_two_hundred()
    {
        using var client = ClientOf(ClusterFixture.NewAddress());

        var statuses = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => PingAsync(client, Cluster.Frontends[i % 2])));

        Assert.Equal(Limit, statuses.Count(status => status == HttpStatusCode.OK));
        Assert.Equal(400 - Limit, statuses.Count(status => status == HttpStatusCode.TooManyRequests));
    }

    /// <summary>
    /// Requests flow from one address while every process is killed in turn. What clients saw admitted is never over the
    /// limit; how far under it the crashes left it is printed.
    /// </summary>
    [Fact]
    public async Task Kill_9_of_every_process_mid_window_never_admits_more_than_two_hundred()
    {
        using var client = ClientOf(ClusterFixture.NewAddress());
        var admitted = 0;
        using var stop = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (var i = worker; !stop.IsCancellationRequested; i++)
            {
                if (await PingAsync(client, Cluster.Frontends[i % 2]) == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref admitted);
                }

                // Slow enough that the window isn't used up before the last process has been killed.
                await Task.Delay(TimeSpan.FromMilliseconds(600), TimeProvider.System);
            }
        })));

        foreach (var victim in Cluster.Silos.Concat(Cluster.Frontends))
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);
            victim.Kill();
            await victim.WaitForExitAsync();
            await ClusterFixture.BackAsync(victim);
            output.WriteLine($"{victim.Name} killed and back; admitted so far {Volatile.Read(ref admitted)}");
        }

        await Cluster.Postgres.KillAsync();
        await Fixture.SettledAsync();
        output.WriteLine($"PostgreSQL killed and back; admitted so far {Volatile.Read(ref admitted)}");
        await stop.CancelAsync();
        await load;

        // Use up what is left, so that the whole window has been asked for.
        for (var i = 0; i < Limit + 50; i++)
        {
            if (await PingAsync(client, Cluster.Frontends[i % 2]) == HttpStatusCode.OK)
            {
                admitted++;
            }
        }

        output.WriteLine($"admitted {admitted} of {Limit}");
        Assert.InRange(admitted, 1, Limit);
        Assert.Equal(HttpStatusCode.TooManyRequests, await PingAsync(client, Cluster.Frontends[0]));
    }

    [Fact]
    public async Task No_silo_reachable_answers_503_in_about_two_seconds_and_recovers_by_itself()
    {
        foreach (var silo in Cluster.Silos)
        {
            silo.Kill();
        }

        using var client = ClientOf(ClusterFixture.NewAddress());
        var startedAt = TimeProvider.System.GetTimestamp();
        var status = await PingAsync(client, Cluster.Frontends[0]);
        var took = TimeProvider.System.GetElapsedTime(startedAt);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        await Fixture.SettledAsync();

        // Settled says that one address is served; this one's bucket may belong to the silo that isn't back in everybody's view.
        await ClusterFixture.EventuallyAsync(
            async () => await PingAsync(client, Cluster.Frontends[0]) == HttpStatusCode.OK,
            TimeSpan.FromSeconds(30),
            "the address that was refused while no silo was reachable is not served again");
    }

    private static HttpClient ClientOf(string address) => new()
    {
        DefaultRequestHeaders = { { "X-Forwarded-For", address } },
        Timeout = TimeSpan.FromSeconds(40),
    };

    /// <summary>The status, or 0 where the connection broke because the frontend was killed.</summary>
    private static async Task<HttpStatusCode> PingAsync(HttpClient client, ManagedProcess frontend)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri(frontend.Address, "/api/v1/ping"));
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }
}
