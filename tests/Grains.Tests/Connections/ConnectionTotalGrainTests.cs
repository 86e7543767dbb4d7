using Marketplace.Connections;

namespace Grains.Tests.Connections;

public sealed class ConnectionTotalGrainTests(CountersCluster cluster)
{
    [Fact]
    public async Task The_total_is_never_exceeded_comes_back_with_a_lease_and_outlives_a_restart()
    {
        using var end = new CancellationTokenSource();
        using var dying = new CancellationTokenSource();
        var (first, second) = (await cluster.HoldLeaseAsync(dying.Token), await cluster.HoldLeaseAsync(end.Token));
        var total = cluster.Grains.GetGrain<IConnectionTotalGrain>(0);

        Assert.Equal(100, (await total.Exchange(new(first, 1, Held: 0, Wanted: 500))).Held);
        Assert.Equal(new ShareAnswer(0, IsScarce: true), await total.Exchange(new(second, 1, Held: 0, Wanted: 1)));

        await CountersCluster.RestartAsync(total);
        Assert.Equal(new ShareAnswer(0, IsScarce: true), await total.Exchange(new(second, 2, Held: 0, Wanted: 1)));

        // A late call says less than was granted since: it must not count.
        Assert.Equal(100, (await total.Exchange(new(first, 1, Held: 0, Wanted: 0))).Held);
        await total.Exchange(new(first, 2, Held: 90, Wanted: 90));
        Assert.Equal(10, (await total.Exchange(new(second, 3, Held: 0, Wanted: 100))).Held);

        await dying.CancelAsync();
        var sequence = 4L;
        await CountersCluster.UntilAsync(
            async () => (await total.Exchange(new(second, sequence++, Held: 10, Wanted: 100))).Held == 100, CountersCluster.Term * 4);
        Assert.Equal(0, (await total.Exchange(new(first, 3, Held: 90, Wanted: 90))).Held);
        await cluster.Leases.Release(second);
    }
}
