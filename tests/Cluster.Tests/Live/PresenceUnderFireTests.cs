using Marketplace.Cluster;

namespace Cluster.Tests.Live;

/// <summary>Who is in a room, while what carries it dies.</summary>
public sealed class PresenceUnderFireTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    /// <summary>A lease, and what it takes to see its end and to tell of it.</summary>
    private static readonly TimeSpan GoneWithin = TimeSpan.FromSeconds(17);

    private LocalCluster Cluster => Fixture.Cluster;

    [Fact]
    public async Task A_killed_silo_makes_nobody_look_absent_and_a_killed_frontends_users_are_gone_with_its_lease()
    {
        var room = $"presence-{Guid.NewGuid():N}";
        var (stays, goes) = (await Fixture.NewUserAsync(), await Fixture.NewUserAsync());
        await using var here = await LiveClient.ConnectAsync(stays, Cluster.Frontends[0].Address);
        await using var alsoHere = await LiveClient.ConnectAsync(stays, Cluster.Frontends[0].Address);
        await using var there = await LiveClient.ConnectAsync(goes, Cluster.Frontends[1].Address);
        foreach (var client in new[] { here, alsoHere, there })
        {
            await client.InvokeAsync("JoinRoom", room);
        }

        var both = Describe((stays.Id, 2), (goes.Id, 1));
        await SeesAsync(here, both, GoneWithin);
        foreach (var silo in Cluster.Silos)
        {
            silo.Kill();
            await silo.WaitForExitAsync();
            await ClusterFixture.BackAsync(silo);
            await SeesAsync(here, both, GoneWithin);
        }

        Assert.DoesNotContain(here.Presences.SkipWhile(presence => presence != both), presence => presence != both);
        Cluster.Frontends[1].Kill();
        var killedAt = TimeProvider.System.GetTimestamp();
        await SeesAsync(here, Describe((stays.Id, 2)), GoneWithin);
        output.WriteLine($"absent {TimeProvider.System.GetElapsedTime(killedAt).TotalSeconds:F1} s after the kill");
        await ClusterFixture.BackAsync(Cluster.Frontends[1]);
    }

    private static string Describe(params (string Id, int Devices)[] users) =>
        string.Join(", ", users.OrderBy(user => user.Id, StringComparer.Ordinal).Select(user => $"{user.Id} {user.Devices}"));

    private static Task SeesAsync(LiveClient client, string expected, TimeSpan within) => ClusterFixture.EventuallyAsync(
        () => Task.FromResult(client.Presence == expected),
        within,
        $"expected {expected}, told {client.Presence}");
}
