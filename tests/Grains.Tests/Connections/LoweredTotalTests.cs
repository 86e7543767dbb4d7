using Marketplace.Grains.Connections;
using Marketplace.WebFrontend.Connections;

namespace Grains.Tests.Connections;

public sealed class LoweredTotalTests
{
    private readonly ShareTable _table = new(new());
    private readonly ConnectionShareHolder _share = new(epoch: 1);

    [Fact]
    public void A_connection_that_ends_makes_room_for_nobody_while_there_are_more_than_a_lowered_total_allows()
    {
        Exchange(waiting: 4, total: 4);
        Assert.All(Enumerable.Range(0, 4), _ => Assert.True(_share.TryTake()));

        Exchange(waiting: 0, total: 2);
        _share.GiveBack();
        Assert.False(_share.TryTake());
        Exchange(waiting: 1, total: 2);
        Assert.False(_share.TryTake());
        _share.GiveBack();
        _share.GiveBack();

        Exchange(waiting: 1, total: 2);
        Assert.True(_share.TryTake());
        Assert.False(_share.TryTake());
    }

    private void Exchange(int waiting, int total)
    {
        var request = _share.NextRequest(waiting);
        _share.Accept(request, _table.Exchange(request, total, frontends: 1, othersWait: false).Answer);
    }
}
