using Marketplace.Connections;

namespace Grains.Tests.Connections;

public sealed class ConnectionTotalGrainTests(CountersCluster cluster)
{
    private IConnectionTotalGrain Total => cluster.Grains.GetGrain<IConnectionTotalGrain>(0);

    [Fact]
    public async Task The_total_is_never_exceeded_comes_back_with_a_lease_and_outlives_a_restart()
    {
        using var end = new CancellationTokenSource();
        using var dying = new CancellationTokenSource();
        var (first, second) = (await cluster.HoldLeaseAsync(dying.Token), await cluster.HoldLeaseAsync(end.Token));
        var total = Total;

        Assert.Equal(100, (await ExchangeAsync(new(first, 1, Held: 0, Wanted: 500))).Held);
        Assert.Equal(new ShareAnswer(0, IsScarce: true), await ExchangeAsync(new(second, 1, Held: 0, Wanted: 1)));

        await CountersCluster.RestartAsync(total);
        Assert.Equal(new ShareAnswer(0, IsScarce: true), await ExchangeAsync(new(second, 2, Held: 0, Wanted: 1)));

        // A late call says less than was granted since: it must not count.
        Assert.Equal(100, (await ExchangeAsync(new(first, 1, Held: 0, Wanted: 0))).Held);
        await ExchangeAsync(new(first, 2, Held: 90, Wanted: 90));
        Assert.Equal(10, (await ExchangeAsync(new(second, 3, Held: 0, Wanted: 100))).Held);

        await dying.CancelAsync();
        var sequence = 4L;
        await CountersCluster.UntilAsync(
            async () => (await ExchangeAsync(new(second, sequence++, Held: 10, Wanted: 100))).Held == 100, CountersCluster.Term * 4);
        Assert.Equal(0, (await ExchangeAsync(new(first, 3, Held: 90, Wanted: 90))).Held);
        await cluster.Leases.Release(second);
    }

    [Fact]
    public async Task Before_anybody_is_refused_the_others_are_asked_and_one_that_hangs_costs_its_deadline_once()
    {
        using var end = new CancellationTokenSource();
        var total = Total;
        var (first, second, holder) = await AskAsync();
        for (var attempt = 1; holder is null && attempt < 3; attempt++)
        {
            await cluster.Leases.Release(first);
            await cluster.Leases.Release(second);
            (first, second, holder) = await AskAsync();
        }

        Assert.NotNull(holder);
        holder.Hangs = true;
        var startedAt = TimeProvider.System.GetTimestamp();
        Assert.Equal(30, (await ExchangeAsync(new(second, 2, Held: 30, Wanted: 31))).Held);
        Assert.InRange(TimeProvider.System.GetElapsedTime(startedAt), TimeSpan.Zero, TimeSpan.FromSeconds(4)); // 0.4 s, and what may hold it up
        await CountersCluster.UntilAsync(() => Task.FromResult(holder.Asked == 2), TimeSpan.FromSeconds(10));
        Assert.Equal(30, (await ExchangeAsync(new(second, 3, Held: 30, Wanted: 31))).Held);
        Assert.Equal(2, holder.Asked);

        await ExchangeAsync(new(first, 3, Held: 70, Wanted: 70, Used: 69));
        Assert.Equal([(first, 70, 69), (second, 30, 0)], (await CountersCluster.InTimeAsync(total.GetShares)).Select(share => (share.Epoch, share.Held, share.Used)));
        await cluster.Leases.Release(first);
        await cluster.Leases.Release(second);

        // The first call to an observer may take longer than it has: without a holder that answered in time.
        async Task<(long First, long Second, Holder? Holder)> AskAsync()
        {
            var (first, second) = (await cluster.HoldLeaseAsync(end.Token), await cluster.HoldLeaseAsync(end.Token));
            var holder = new Holder(round => total.Exchange(new(first, 2, Held: 70, Wanted: 70, Used: 70, round)).AsTask());
            var address = cluster.Grains.CreateObjectReference<IConnectionHolder>(holder);
            Assert.Equal(100, (await ExchangeAsync(new(first, 1, Held: 0, Wanted: 100, Holder: address))).Held);
            return (first, second, (await ExchangeAsync(new(second, 1, Held: 0, Wanted: 30))).Held == 30 ? holder : null);
        }
    }

    private Task<ShareAnswer> ExchangeAsync(ShareRequest request) => CountersCluster.InTimeAsync(() => Total.Exchange(request));

    private sealed class Holder(Func<long, Task> answer) : IConnectionHolder
    {
        public bool Hangs { get; set; }

        public int Asked { get; private set; }

        public Task Close(CloseOrder order) => Task.CompletedTask;

        public Task Recall(long epoch, long round)
        {
            Asked++;
            return Hangs ? Task.CompletedTask : answer(round);
        }
    }
}
