using Marketplace.Grains.Realtime.Presence;
using Marketplace.Realtime.Presence;

namespace Grains.Tests.Realtime;

public sealed class PresenceTableTests
{
    private readonly PresenceTable _table = new();

    [Fact]
    public void A_user_on_two_frontends_is_one_user_with_the_devices_of_both()
    {
        _table.Report(1, Report(1, ("ann", 2), ("bob", 1)));
        _table.Report(2, Report(1, ("ann", 1)));

        Assert.Equal("ann 3, bob 1 (2)", Sum());
    }

    [Fact]
    public void A_report_that_comes_after_a_younger_one_changes_nothing()
    {
        _table.Report(1, Report(5));

        Assert.False(_table.Report(1, Report(4, ("ann", 1))));
        Assert.Equal(" (0)", Sum());
    }

    [Fact]
    public void What_a_frontend_reported_ends_with_its_lease()
    {
        _table.Report(1, Report(1, ("ann", 1)));
        _table.Report(2, Report(1, ("bob", 1)));

        Assert.True(_table.Prune(epoch => epoch != 1));
        Assert.False(_table.Prune(epoch => epoch != 1));
        Assert.Equal("bob 1 (1)", Sum());
    }

    [Fact]
    public void A_crowd_is_counted_and_its_first_two_hundred_are_named()
    {
        _table.Report(1, new(1, 5_000, [.. Enumerable.Range(0, 200).Select(i => new PresentUser($"a{i:D3}", 1))]));
        _table.Report(2, Report(1, ("b", 1)));

        var (count, users) = _table.Sum();

        Assert.Equal((5_001, 200), (count, users.Count));
    }

    private static PresenceReport Report(long version, params (string User, int Devices)[] users) =>
        new(version, users.Length, [.. users.Select(user => new PresentUser(user.User, user.Devices))]);

    private string Sum()
    {
        var (count, users) = _table.Sum();
        return $"{string.Join(", ", users.Select(user => $"{user.User} {user.Devices}"))} ({count})";
    }
}
