using Marketplace.Bench.Load.Driver;

namespace Load.Tests;

public sealed class NumberingTests
{
    private readonly Numbering _numbering = new();

    [Fact]
    public void Messages_in_order_are_neither_missed_nor_repeated()
    {
        Assert.All([7, 8, 9], number => Assert.Equal(default, _numbering.Take(1, number)));
        Assert.Empty(_numbering.Missed);
    }

    [Fact]
    public void Senders_are_numbered_each_for_itself()
    {
        _numbering.Take(1, 5);
        _numbering.Take(2, 100);

        Assert.Equal(default, _numbering.Take(1, 6));
        Assert.Equal(default, _numbering.Take(2, 101));
    }

    [Fact]
    public void A_number_that_is_jumped_over_is_missed()
    {
        _numbering.Take(1, 1);

        Assert.Equal(new Arrival(Skipped: 2, IsRepeat: false, IsLate: false), _numbering.Take(1, 4));
        Assert.Equal([(1, 2L), (1, 3L)], _numbering.Missed);
    }

    [Fact]
    public void A_number_that_comes_after_all_is_late_and_no_longer_missed()
    {
        _numbering.Take(1, 1);
        _numbering.Take(1, 3);

        Assert.Equal(new Arrival(Skipped: 0, IsRepeat: false, IsLate: true), _numbering.Take(1, 2));
        Assert.Empty(_numbering.Missed);
    }

    [Fact]
    public void A_number_that_came_before_is_a_repeat()
    {
        _numbering.Take(1, 1);
        _numbering.Take(1, 2);

        Assert.True(_numbering.Take(1, 2).IsRepeat);
        Assert.True(_numbering.Take(1, 1).IsRepeat);
    }

    [Fact]
    public void A_late_number_that_comes_once_more_is_a_repeat()
    {
        _numbering.Take(1, 1);
        _numbering.Take(1, 3);
        _numbering.Take(1, 2);

        Assert.True(_numbering.Take(1, 2).IsRepeat);
    }
}
