using Marketplace.Grains.Limits;
using Marketplace.Limits;

namespace Grains.Tests.Limits;

public sealed class FixedWindowBucketTests
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(15);
    private static readonly Guid Frontend = Guid.NewGuid();
    private readonly FixedWindowBucket _bucket = new(limit: 200, Length, step: 10, window: 41);
    private long _sequence;

    [Fact]
    public void The_first_request_opens_a_window_and_reserves_one_step()
    {
        var reservation = _bucket.Prepare(Ask(1), Now(0));

        Assert.Equal(new Reservation(Opens: true, Reserved: 10, Now(0) + Length), reservation);
    }

    [Fact]
    public void Nothing_is_granted_past_what_is_reserved()
    {
        var request = Ask(25);
        var grant = Exchange(request, Now(0), persist: false);

        Assert.Equal(0, grant.Granted);
    }

    [Fact]
    public void A_window_admits_exactly_its_limit()
    {
        var granted = Enumerable.Range(0, 250).Sum(_ => Exchange(Ask(1), Now(1)).Granted);

        Assert.Equal(200, granted);
    }

    [Fact]
    public void A_denial_says_when_the_window_ends()
    {
        Exchange(Ask(200), Now(0));

        var denied = Exchange(Ask(1), Now(60));

        Assert.Equal(0, denied.Granted);
        Assert.Equal(0, denied.Remaining);
        Assert.Equal(Length - TimeSpan.FromSeconds(60), denied.ResetsIn);
    }

    [Fact]
    public void A_new_window_starts_with_the_first_request_after_the_old_one_ended()
    {
        Exchange(Ask(200), Now(0));

        Assert.Equal(0, Exchange(Ask(1), Now(899.999)).Granted);
        var first = Exchange(Ask(1), Now(905));
        Assert.Equal(1, first.Granted);
        Assert.Equal(Length, first.ResetsIn);
        Assert.Equal(199, first.Remaining);
    }

    [Fact]
    public void A_repeated_request_is_answered_again_and_not_granted_again()
    {
        var request = Ask(7);
        Exchange(request, Now(0));

        var again = Exchange(request, Now(2));

        Assert.Equal(7, again.Granted);
        Assert.Equal(193, again.Remaining);
    }

    [Fact]
    public void A_late_duplicate_of_an_earlier_request_gets_nothing()
    {
        var early = Ask(7);
        Exchange(early, Now(0));
        Exchange(Ask(1), Now(0));

        Assert.Equal(0, Exchange(early, Now(1)).Granted);
        Assert.Equal(8, _bucket.Granted);
    }

    [Fact]
    public void Returned_permits_are_granted_again()
    {
        var window = Exchange(Ask(200), Now(0)).Window;

        Exchange(Ask(0, returned: 30, window), Now(1));

        Assert.Equal(30, Exchange(Ask(50), Now(2)).Granted);
    }

    [Fact]
    public void Nobody_hands_back_more_than_it_holds()
    {
        var window = Exchange(Ask(5), Now(0)).Window;
        Exchange(new(Guid.NewGuid(), 1, Wanted: 100, 0, 0), Now(0));

        Exchange(Ask(0, returned: 50, window), Now(1));

        Assert.Equal(100, _bucket.Granted);
    }

    [Fact]
    public void Permits_of_an_earlier_window_are_void()
    {
        var window = Exchange(Ask(50), Now(0)).Window;
        Exchange(Ask(50), Now(1000));

        Exchange(Ask(0, returned: 50, window), Now(1001));

        Assert.Equal(50, _bucket.Granted);
    }

    [Fact]
    public void A_bucket_that_restarts_never_grants_a_reserved_permit_twice()
    {
        Exchange(Ask(12), Now(0));
        var restarted = new FixedWindowBucket(200, Length, step: 10, window: 7);
        restarted.Restore(_bucket.Reserved, Length, Now(0));

        var granted = Enumerable.Range(0, 250).Sum(_ => Exchange(Ask(1), Now(1), bucket: restarted).Granted);

        Assert.Equal(200 - _bucket.Reserved, granted);
        Assert.InRange(12 + granted, 200 - 10, 200);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void Absurd_numbers_from_the_wire_break_nothing(int number)
    {
        var window = Exchange(Ask(5), Now(0)).Window;

        var grant = Exchange(new(Frontend, ++_sequence, number, number, window), Now(1));

        Assert.InRange(grant.Granted, 0, 200);
        Assert.InRange(_bucket.Granted, 0, 200);
    }

    private static TimeSpan Now(double seconds) => TimeSpan.FromSeconds(seconds);

    private PermitRequest Ask(int wanted, int returned = 0, long window = 0) =>
        new(Frontend, ++_sequence, wanted, returned, window);

    private PermitGrant Exchange(PermitRequest request, TimeSpan now, bool persist = true, FixedWindowBucket? bucket = null)
    {
        bucket ??= _bucket;
        if (persist && bucket.Prepare(request, now) is { } reservation)
        {
            bucket.Commit(reservation);
        }

        return bucket.Answer(request, now);
    }
}
