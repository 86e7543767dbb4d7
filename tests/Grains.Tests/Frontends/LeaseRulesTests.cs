using Marketplace.Grains.Frontends;

namespace Grains.Tests.Frontends;

public sealed class LeaseRulesTests
{
    private static readonly TimeSpan Term = TimeSpan.FromSeconds(12);

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    [Fact]
    public void A_lease_ends_a_term_after_its_last_renewal_and_not_before()
    {
        var table = new LeaseTable(Term, new(), now: At(0), Ownership.Grace);
        var epoch = table.Register("a", At(0));
        Assert.True(table.Renew(epoch, At(5)));

        Assert.Empty(table.End(At(16.9)));
        Assert.Equal((epoch, "a"), Assert.Single(table.End(At(17))));
        Assert.False(table.Renew(epoch, At(17)));
    }

    [Fact]
    public void After_a_restart_every_known_lease_runs_for_a_term_and_a_grace()
    {
        var before = new LeaseTable(Term, new(), now: At(0), Ownership.Grace);
        var epoch = before.Register("a", At(0));

        var after = new LeaseTable(Term, before.ToState(), now: At(100), Ownership.Grace);

        Assert.True(after.Renew(epoch, At(101)));
        Assert.Empty(after.End(At(114.9)));
        Assert.Single(after.End(At(115)));
        Assert.NotEqual(epoch, after.Register("b", At(116)));
    }

    [Fact]
    public void An_activation_that_was_paused_speaks_for_nobody_until_it_has_looked_at_the_row()
    {
        var ownership = new Ownership(At(0));
        ownership.Beat(At(1));
        Assert.True(ownership.MayRenew(At(2)));

        Assert.False(ownership.MayRenew(At(4.1)));
        ownership.Confirm(At(4)); // sent before the pause was over
        Assert.False(ownership.MayRenew(At(4.2)));
        ownership.Confirm(At(4.2));
        Assert.True(ownership.MayRenew(At(4.3)));

        ownership.Lose();
        ownership.Confirm(At(5));
        Assert.False(ownership.MayRenew(At(5)));
    }

    [Fact]
    public void Without_PostgreSQL_a_running_activation_goes_on_renewing()
    {
        var ownership = new Ownership(At(0));
        for (var now = 0.5; now < 600; now += 0.5)
        {
            Assert.True(ownership.MayRenew(At(now)));
        }
    }
}
