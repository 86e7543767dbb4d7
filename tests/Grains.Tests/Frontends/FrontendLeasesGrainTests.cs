using Grains.Tests.Connections;

namespace Grains.Tests.Frontends;

public sealed class FrontendLeasesGrainTests(CountersCluster cluster)
{
    [Fact]
    public async Task A_lease_lasts_while_it_is_renewed_and_ends_when_it_is_not()
    {
        var leases = cluster.Leases;
        var lease = await leases.Register(new("a"));
        Assert.Equal(CountersCluster.Term, lease.Term);
        for (var i = 0; i < 6; i++)
        {
            await Task.Delay(CountersCluster.Term / 5, TimeProvider.System, TestContext.Current.CancellationToken);
            Assert.NotNull(await leases.Renew(lease.Epoch));
        }

        Assert.Contains(await leases.GetLive(), live => live.Epoch == lease.Epoch && live.Name == "a");
        await CountersCluster.UntilAsync(
            async () => (await leases.GetEpochs()).IsVoid(lease.Epoch), CountersCluster.Term + TimeSpan.FromSeconds(20));
        Assert.Null(await leases.Renew(lease.Epoch));
    }

    [Fact]
    public async Task A_grain_that_restarts_knows_its_leases_and_gives_no_epoch_twice()
    {
        var leases = cluster.Leases;
        var before = (await leases.Register(new("b"))).Epoch;
        await leases.Release(before);
        var kept = (await leases.Register(new("c"))).Epoch;

        await CountersCluster.RestartAsync(leases);

        Assert.NotNull(await leases.Renew(kept));
        Assert.True((await leases.Register(new("d"))).Epoch > kept);
        Assert.Null(await leases.Renew(before));
        await leases.Release(kept);
        Assert.True((await leases.GetEpochs()).IsVoid(kept));
    }
}
