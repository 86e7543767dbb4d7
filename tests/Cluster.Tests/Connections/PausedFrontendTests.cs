using System.Net;
using Marketplace.Cluster;

namespace Cluster.Tests.Connections;

/// <summary>A frontend that sleeps past its lease and wakes up: what an outside observer sees of its connections.</summary>
public sealed class PausedFrontendTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int Cap = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(20); // longer than a lease
    private static readonly TimeSpan ClosedWithin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(100);

    private LocalCluster Cluster => Fixture.Cluster;

    [Fact]
    public async Task A_frontend_that_was_paused_past_its_lease_closes_its_connections_before_it_serves_again()
    {
        var (paused, other) = (Cluster.Frontends[0], Cluster.Frontends[1].Address);
        var user = await Fixture.NewUserAsync();
        var old = await Task.WhenAll(Enumerable.Range(0, Cap).Select(_ => LiveClient.ConnectAsync(user, paused.Address)));
        Assert.All(old, client => Assert.Equal(HttpStatusCode.SwitchingProtocols, client.Status));
        using var stop = new CancellationTokenSource();
        var observing = Task.WhenAll(old.Select(client => LastAnswerAsync(client, stop.Token)));
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System);

        paused.Pause();
        var pausedAt = TimeProvider.System.GetTimestamp();
        var young = new List<LiveClient>();
        var givenAwayAt = 0L;
        while (TimeProvider.System.GetElapsedTime(pausedAt) < Pause)
        {
            var client = await LiveClient.ConnectAsync(user, other);
            if (client.Status == HttpStatusCode.SwitchingProtocols && await client.AnswersAsync())
            {
                givenAwayAt = givenAwayAt == 0 ? TimeProvider.System.GetTimestamp() : givenAwayAt;
                young.Add(client);
            }
            else
            {
                await client.DisposeAsync();
                await Task.Delay(AskEvery, TimeProvider.System);
            }
        }

        paused.Resume();
        await ClusterFixture.EventuallyAsync(
            () => Task.FromResult(old.All(client => !client.IsLive)), ClosedWithin, "a connection outlived its frontend's lease");
        await stop.CancelAsync();
        var lastAnswers = await observing;

        Assert.Equal(Cap, young.Count);
        Assert.All(await Task.WhenAll(young.Select(client => client.AnswersAsync())), Assert.True);
        Assert.All(lastAnswers, at => Assert.True(at < givenAwayAt, "an old connection was served after its slot had been given away"));
        output.WriteLine($"{Cap} of {Cap} old connections closed after the pause without an answer; {young.Count} young ones live");
        foreach (var client in old.Concat(young))
        {
            await client.DisposeAsync();
        }
    }

    /// <summary>Asks a connection all the time, and returns when it was last answered.</summary>
    private static async Task<long> LastAnswerAsync(LiveClient client, CancellationToken cancellationToken)
    {
        var last = 0L;
        while (client.IsLive && !cancellationToken.IsCancellationRequested)
        {
            try
            {
                await client.InvokeAsync("LeaveRoom", "nowhere");
                last = TimeProvider.System.GetTimestamp();
                await Task.Delay(AskEvery, TimeProvider.System, CancellationToken.None);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                // not answered
            }
        }

        return last;
    }
}
