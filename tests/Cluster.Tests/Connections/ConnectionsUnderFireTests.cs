using System.Net;
using Marketplace.Cluster;

namespace Cluster.Tests.Connections;

/// <summary>What five connections of one user, and the sixth, see of processes that die.</summary>
public sealed class ConnectionsUnderFireTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int Cap = 5;
    private static readonly TimeSpan FreedWithin = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    private LocalCluster Cluster => Fixture.Cluster;

    [Fact]
    public async Task Kill_9_of_a_frontend_frees_its_slots_within_15_seconds()
    {
        var (dying, other) = (Cluster.Frontends[0], Cluster.Frontends[1].Address);
        var user = await Fixture.NewUserAsync();
        var clients = await HoldFiveAsync(user, _ => dying.Address);

        dying.Kill();
        var killedAt = TimeProvider.System.GetTimestamp();
        var status = await LiveClient.TryAsync(user, other);

        Assert.Equal(HttpStatusCode.TooManyRequests, status);
        while (status != HttpStatusCode.SwitchingProtocols)
        {
            Assert.True(status is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable, $"answered {status}");
            Assert.InRange(TimeProvider.System.GetElapsedTime(killedAt), TimeSpan.Zero, FreedWithin);
            await Task.Delay(PollInterval, TimeProvider.System);
            status = await LiveClient.TryAsync(user, other);
        }

        var took = TimeProvider.System.GetElapsedTime(killedAt);
        output.WriteLine($"slots were free {took.TotalSeconds:F1} s after the kill");
        Assert.InRange(took, TimeSpan.Zero, FreedWithin);
        Assert.DoesNotContain(clients, client => client.IsLive);
        await DisposeAsync(clients);
        await ClusterFixture.BackAsync(dying);
    }

    [Fact]
    public async Task Kill_9_of_a_silo_frees_no_slot_and_drops_no_connection()
    {
        var user = await Fixture.NewUserAsync();
        var clients = await HoldFiveAsync(user, i => Cluster.Frontends[i % 2].Address);

        foreach (var silo in Cluster.Silos)
        {
            await AssertSixthStaysOutAsync(user, silo.Name, async () =>
            {
                silo.Kill();
                await silo.WaitForExitAsync();
                await ClusterFixture.BackAsync(silo);
            });
            await AssertLiveAsync(clients);
        }

        await DisposeAsync(clients);
    }

    [Fact]
    public async Task A_restart_of_PostgreSQL_drops_no_connection()
    {
        var user = await Fixture.NewUserAsync();
        var clients = await HoldFiveAsync(user, i => Cluster.Frontends[i % 2].Address);

        await AssertSixthStaysOutAsync(user, "PostgreSQL", async () =>
        {
            await Cluster.Postgres.KillAsync();
            await ClusterFixture.EventuallyAsync(
                () => Task.FromResult(Cluster.Postgres.IsRunning), TimeSpan.FromSeconds(30), "PostgreSQL did not come back");
            foreach (var process in Cluster.Silos.Concat(Cluster.Frontends))
            {
                await ClusterFixture.BackAsync(process);
            }
        });

        await AssertLiveAsync(clients);
        await DisposeAsync(clients);
    }

    private static async Task<IReadOnlyList<LiveClient>> HoldFiveAsync(ClusterUser user, Func<int, Uri> frontend)
    {
        var clients = await Task.WhenAll(Enumerable.Range(0, Cap).Select(i => LiveClient.ConnectAsync(user, frontend(i))));
        Assert.All(clients, client => Assert.Equal(HttpStatusCode.SwitchingProtocols, client.Status));
        await AssertLiveAsync(clients); // a call is answered only after the hub has taken the connection in
        return clients;
    }

    /// <summary>
    /// A sixth connection knocks at both frontends from the trouble's first moment on. It may be told to come again, as long
    /// as the trouble lasts, but never gets in; at the end both say that the user has too many.
    /// </summary>
    private async Task AssertSixthStaysOutAsync(ClusterUser user, string killed, Func<Task> trouble)
    {
        var over = trouble();
        var refusals = new Dictionary<HttpStatusCode, int>();
        var finally429 = new HashSet<Uri>();
        var startedAt = TimeProvider.System.GetTimestamp();
        while (!over.IsCompleted || finally429.Count < 2)
        {
            foreach (var frontend in Cluster.Frontends.Select(frontend => frontend.Address))
            {
                var isOver = over.IsCompleted;
                var status = await LiveClient.TryAsync(user, frontend);
                Assert.True(
                    status is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable, $"the sixth got {status}");
                refusals[status] = refusals.GetValueOrDefault(status) + 1;
                if (isOver && status == HttpStatusCode.TooManyRequests)
                {
                    finally429.Add(frontend);
                }
            }

            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromMinutes(2), "a frontend can't say how many there are");
            await Task.Delay(PollInterval, TimeProvider.System);
        }

        await over;
        output.WriteLine($"{killed} killed: the sixth got {string.Join(", ", refusals.Select(r => $"{r.Value} x {(int)r.Key}"))}");
    }

    private static async Task AssertLiveAsync(IReadOnlyList<LiveClient> clients)
    {
        Assert.All(clients, client => Assert.True(client.IsLive, "a connection was closed"));
        Assert.All(await Task.WhenAll(clients.Select(client => client.AnswersAsync())), Assert.True);
    }

    private static async Task DisposeAsync(IEnumerable<LiveClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }
}
