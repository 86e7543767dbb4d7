using CsCheck;
using Marketplace.Grains.Limits;
using Marketplace.Grains.Limits.Pools;
using Marketplace.Limits;

namespace Limits.Tests;

/// <summary>The bucket's rules one by one; what they add up to is Model/ProtocolTests.</summary>
public sealed class BucketTests
{
    private static readonly TimeSpan Length = TimeSpan.FromMinutes(15);
    private static readonly Guid Frontend = Guid.NewGuid();
    private readonly Bucket _bucket = Fixed(firstLot: 41);
    private long _sequence;
    private long _returns;

    [Fact]
    public void The_first_request_opens_a_window_and_reserves_one_step()
    {
        var reservation = _bucket.Prepare(Ask(1), Now(0))!;

        Assert.True(reservation.Opens);
        Assert.Equal((25, Now(0) + Length), (reservation.Reserved, reservation.EndsAt));
    }

    [Fact]
    public void Nothing_is_granted_past_what_is_reserved() => Assert.Equal(0, Exchange(Ask(25), Now(0), persist: false).Granted);

    [Fact]
    public void A_window_admits_exactly_its_limit() =>
        Assert.Equal(200, Enumerable.Range(0, 250).Sum(_ => Exchange(Ask(1), Now(1)).Granted));

    [Fact]
    public void A_refusal_says_when_the_window_ends()
    {
        Exchange(Ask(200), Now(0));

        var refused = Exchange(Ask(1), Now(60));

        Assert.Equal((0, 0, Length - Now(60)), (refused.Granted, refused.Remaining, refused.RetryIn));
    }

    [Fact]
    public void A_request_that_costs_several_tokens_is_told_when_all_of_them_can_be_had()
    {
        var bucket = new Bucket(PermitPool.For(Policy(LimitAlgorithm.TokenBucket, 100), lot: 1), 0, rounds: 0);
        Exchange(Ask(98), Now(0), bucket: bucket);

        var refused = Exchange(Ask(5) with { Least = 5 }, Now(0), bucket: bucket);

        Assert.Equal((2, 3 * Length / 100), (refused.Granted, refused.RetryIn));
    }

    [Fact]
    public void A_request_that_costs_several_permits_of_a_sliding_window_is_told_when_all_of_them_can_be_had()
    {
        var bucket = new Bucket(PermitPool.For(Policy(LimitAlgorithm.SlidingWindow, 10), lot: 1), 0, rounds: 0);
        Exchange(Ask(2), Now(0), bucket: bucket);
        Exchange(Ask(8), Now(60), bucket: bucket);

        var one = Exchange(Ask(1), Now(60), bucket: bucket);
        var several = Exchange(Ask(5) with { Least = 5 }, Now(60), bucket: bucket);

        Assert.Equal((Length - Now(15), Length + Now(45)), (one.RetryIn, several.RetryIn));
    }

    [Fact]
    public void A_new_window_starts_with_the_first_request_after_the_old_one_ended()
    {
        Exchange(Ask(200), Now(0));

        Assert.Equal(0, Exchange(Ask(1), Now(899.999)).Granted);
        var first = Exchange(Ask(1), Now(905));
        Assert.Equal((1, Length, 199), (first.Granted, first.EndsIn, first.Remaining));
    }

    [Fact]
    public void A_repeated_request_is_answered_again_and_not_granted_again()
    {
        var request = Ask(7);
        Exchange(request, Now(0));

        var again = Exchange(request, Now(2));

        Assert.Equal((7, Length - Now(2)), (again.Granted, again.EndsIn));
        Assert.Equal(7, _bucket.View(Now(2)).Used);
    }

    [Fact]
    public void A_late_duplicate_of_an_earlier_request_gets_nothing_and_is_no_refusal()
    {
        var early = Ask(7);
        Exchange(early, Now(0));
        Exchange(Ask(1), Now(0));

        var late = Exchange(early, Now(1));

        Assert.Equal((0, TimeSpan.Zero), (late.Granted, late.RetryIn));
        Assert.Equal(8, _bucket.View(Now(1)).Used);
    }

    /// <summary>A flood that frontends have no room to remember makes a holder of each request.</summary>
    [Fact]
    public void Who_was_refused_and_cannot_be_told_of_permits_is_forgotten_once_no_repeat_can_come()
    {
        var lot = Exchange(Ask(200), Now(0)).Lot;
        var refused = new PermitRequest(Guid.NewGuid(), 1, Wanted: 1, 0, 0, default, null);
        Exchange(refused, Now(0));
        Exchange(Ask(0) with { Returned = new(++_returns, 50, lot) }, Now(4));

        Assert.Equal(0, Exchange(refused, Now(4)).Granted); // a repeat gets the answer it got
        Assert.True(Knows(refused.Holder));
        Exchange(Ask(0), Now(6));
        Assert.False(Knows(refused.Holder));
    }

    [Theory]
    [InlineData(LimitAlgorithm.FixedWindow)]
    [InlineData(LimitAlgorithm.TokenBucket)]
    public void Who_was_granted_permits_is_remembered_for_as_long_as_any_repeat_may_come(LimitAlgorithm algorithm)
    {
        var bucket = new Bucket(PermitPool.For(Policy(algorithm, limit: 200), lot: 1), 0, rounds: 0);
        var granted = new PermitRequest(Guid.NewGuid(), 1, Wanted: 1, 0, 0, default, null);
        Exchange(granted, Now(0), bucket: bucket);

        Exchange(Ask(0), Now(59), bucket: bucket);

        Assert.True(Knows(granted.Holder, bucket));
    }

    [Fact]
    public void Returned_permits_are_granted_again_and_a_repeated_return_changes_nothing()
    {
        var lot = Exchange(Ask(200), Now(0)).Lot;
        var handBack = new PermitHandBack(Frontend, new(++_returns, 30, lot), Held: 0, Round: 0, Seen: _sequence);

        Assert.True(_bucket.TryHandBack(handBack, Now(1)));
        Assert.True(_bucket.TryHandBack(handBack, Now(1)));

        Assert.Equal(30, Exchange(Ask(50), Now(2)).Granted);
    }

    [Fact]
    public void A_return_that_comes_with_a_request_serves_it()
    {
        var lot = Exchange(Ask(200), Now(0)).Lot;

        Assert.Equal(10, Exchange(Ask(10) with { Returned = new(++_returns, 10, lot) }, Now(1)).Granted);
    }

    [Fact]
    public void Nobody_hands_back_more_than_it_was_granted()
    {
        var lot = Exchange(Ask(5), Now(0)).Lot;
        Exchange(new(Guid.NewGuid(), 1, Wanted: 100, 0, 0, default, null), Now(0));

        Exchange(Ask(0) with { Returned = new(++_returns, 50, lot) }, Now(1));

        Assert.Equal(100, _bucket.View(Now(1)).Used);
    }

    [Fact]
    public void Permits_of_an_earlier_window_are_void()
    {
        var lot = Exchange(Ask(50), Now(0)).Lot;
        Exchange(Ask(50), Now(1000));

        Exchange(Ask(0) with { Returned = new(++_returns, 50, lot) }, Now(1001));

        Assert.Equal(50, _bucket.View(Now(1001)).Used);
    }

    [Fact]
    public void A_lease_grows_with_demand_up_to_a_step_and_shrinks_as_the_window_empties_between_holders()
    {
        Assert.Equal(4, Exchange(Ask(1) with { Spare = 3 }, Now(0)).Granted);
        Assert.Equal(26, Exchange(Ask(1) with { Spare = 1_000 }, Now(0)).Granted);
        var other = Guid.NewGuid();
        Exchange(new(other, 1, Wanted: 150, 0, 0, default, null), Now(0));

        Assert.Equal(20, _bucket.View(Now(0)).Remaining);
        Assert.Equal(1 + 9, Exchange(Ask(1) with { Spare = 1_000 }, Now(0)).Granted);
    }

    [Fact]
    public void A_bucket_that_restarts_never_grants_a_reserved_permit_twice()
    {
        var reserved = _bucket.Prepare(Ask(12), Now(0))!;
        Exchange(Ask(12), Now(0));
        var restarted = Fixed(firstLot: 7);
        restarted.Pool.Restore(reserved.State, age: TimeSpan.Zero, askedAt: Now(0), Now(0));

        var granted = Enumerable.Range(0, 250).Sum(_ => Exchange(Ask(1), Now(1), bucket: restarted).Granted);

        Assert.Equal(200 - 25, granted);
        Assert.InRange(12 + granted, 200 - 25, 200);
    }

    [Fact]
    public void A_window_that_begins_after_the_database_s_clock_was_set_back_lasts_its_length_if_nothing_was_used_before()
    {
        var left = _bucket.Pool.Exact(Now(0)).State;
        var restarted = Fixed(firstLot: 7);

        restarted.Pool.Restore(left, age: TimeSpan.FromSeconds(-3), askedAt: Now(0), Now(0));

        Assert.Equal(Length, Exchange(Ask(1), Now(0), bucket: restarted).EndsIn);
    }

    [Fact]
    public void A_lowered_limit_binds_at_once_and_counts_are_kept()
    {
        Exchange(Ask(60), Now(0));

        _bucket.Adopt(Policy(LimitAlgorithm.FixedWindow, limit: 50), version: 1, lot: 99, Now(1));

        var refused = Exchange(Ask(1), Now(2));
        Assert.Equal((0, 0, 50, 1), (refused.Granted, refused.Remaining, refused.Limit, refused.PolicyVersion));
        _bucket.Adopt(Policy(LimitAlgorithm.FixedWindow, limit: 100), version: 2, lot: 100, Now(3));
        Assert.Equal(40, Exchange(Ask(100), Now(4)).Granted);
    }

    [Fact]
    public void Tokens_that_were_spent_are_not_to_be_had_again_when_a_limit_is_lowered_and_put_back()
    {
        var bucket = new Bucket(PermitPool.For(Policy(LimitAlgorithm.TokenBucket, 100), lot: 1), 0, rounds: 0);
        Exchange(Ask(100), Now(0), bucket: bucket);
        Exchange(Ask(1), Now(0.5), bucket: bucket); // which says that nothing is left of them

        bucket.Adopt(Policy(LimitAlgorithm.TokenBucket, limit: 10), version: 1, lot: 99, Now(1));
        bucket.Adopt(Policy(LimitAlgorithm.TokenBucket, limit: 100), version: 2, lot: 100, Now(2));

        Assert.Equal(0, Exchange(Ask(100), Now(3), bucket: bucket).Granted);
        Assert.Equal(10, Exchange(Ask(100), Now(92), bucket: bucket).Granted); // by refill
    }

    [Theory]
    [InlineData(LimitAlgorithm.SlidingWindow)]
    [InlineData(LimitAlgorithm.TokenBucket)]
    [InlineData(LimitAlgorithm.Concurrency)]
    public void Another_algorithm_goes_on_from_what_was_used(LimitAlgorithm algorithm)
    {
        Exchange(Ask(60), Now(0));

        _bucket.Adopt(Policy(algorithm, limit: 200), version: 1, lot: 99, Now(1));

        Assert.Equal(140, Exchange(Ask(200), Now(1)).Granted);
    }

    [Fact]
    public void What_was_used_under_a_sliding_window_counts_under_a_fixed_one()
    {
        var bucket = new Bucket(PermitPool.For(Policy(LimitAlgorithm.SlidingWindow, 100), lot: 1), 0, rounds: 0);
        Exchange(Ask(100), Now(0), bucket: bucket);
        var later = Length / 2;

        bucket.Adopt(Policy(LimitAlgorithm.FixedWindow, 100), version: 1, lot: 99, later);

        Assert.Equal(0, Exchange(Ask(1), later, bucket: bucket).Granted);
    }

    [Fact]
    public void Tokens_that_were_used_up_come_back_under_a_concurrency_limit()
    {
        var bucket = new Bucket(PermitPool.For(Policy(LimitAlgorithm.TokenBucket, 100), lot: 1), 0, rounds: 0);
        Exchange(Ask(100), Now(0), bucket: bucket);
        Exchange(Ask(1), Now(0.5), bucket: bucket); // which says that nothing is left of them

        bucket.Adopt(Policy(LimitAlgorithm.Concurrency, 100), version: 1, lot: 99, Now(1));

        Assert.Equal(100, Exchange(Ask(100), Now(60), bucket: bucket).Granted);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void Absurd_numbers_from_the_wire_break_nothing(int number)
    {
        foreach (var algorithm in Enum.GetValues<LimitAlgorithm>())
        {
            var bucket = new Bucket(PermitPool.For(Policy(algorithm, 200), lot: 1), 0, rounds: 0);
            var lot = Exchange(Ask(5), Now(0), bucket: bucket).Lot;

            var grant = Exchange(
                new(Frontend, ++_sequence, number, number, number, new(++_returns, number, lot), null), Now(1), bucket: bucket);

            Assert.InRange(grant.Granted, 0, 200);
            Assert.InRange(bucket.View(Now(1)).Used, 0, 200);
        }
    }

    /// <summary>A fixed window lets twice its limit through around its end; a sliding one doesn't, wherever one looks.</summary>
    [Fact]
    public void No_interval_as_long_as_a_sliding_window_sees_more_than_its_limit() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[2, 10], Gen.Int[0, 400].Array[200]).Sample((limit, segments, waits) =>
        {
            var policy = new LimitPolicyOptions
            {
                Algorithm = LimitAlgorithm.SlidingWindow,
                Limit = limit,
                Window = TimeSpan.FromSeconds(10),
                Segments = segments,
            };
            var bucket = new Bucket(PermitPool.For(policy, lot: 1), 0, rounds: 0);
            var spent = new List<TimeSpan>();
            var now = TimeSpan.Zero;
            foreach (var wait in waits)
            {
                now += TimeSpan.FromMilliseconds(wait);
                var grant = Exchange(Ask(1), now, bucket: bucket);

                // Spent at the last moment at which it may be, when that is worst.
                spent.AddRange(Enumerable.Repeat(wait % 2 == 0 ? now : now + grant.EndsIn - TimeSpan.FromTicks(1), grant.Granted));
            }

            Assert.All(spent, from => Assert.InRange(spent.Count(at => at >= from && at < from + policy.Window), 0, limit));
        }, threads: 1); // requests are numbered by a field

    [Fact]
    public void A_window_whose_first_write_took_long_is_granted_from_as_if_it_began_with_the_question_and_counts_as_if_with_the_answer()
    {
        var bucket = Fixed(firstLot: 1);
        var first = bucket.Prepare(Ask(1), Now(0))!;
        bucket.Pool.Commit(first, slack: TimeSpan.FromSeconds(3));
        Assert.Equal(1, Exchange(Ask(1), Now(3), bucket: bucket).Granted);

        Assert.Equal(Length, bucket.Pool.ResetsIn(Now(3)));
        Assert.True(bucket.Pool.Grantable(Now(Length.TotalSeconds - 1)) > 0);
        Assert.Equal(0, bucket.Pool.Grantable(Now(Length.TotalSeconds + 1)));
        Assert.Null(bucket.Prepare(Ask(1), Now(Length.TotalSeconds + 2)));
        Assert.True(bucket.Prepare(Ask(1), Now(Length.TotalSeconds + 3))!.Opens);
    }

    private static Bucket Fixed(long firstLot) =>
        new(PermitPool.For(Policy(LimitAlgorithm.FixedWindow, limit: 200), firstLot), policyVersion: 0, rounds: 0);

    /// <summary>Nobody else is told that what it says it has can't be relied on.</summary>
    private bool Knows(Guid holder, Bucket? bucket = null) =>
        !(bucket ?? _bucket).TryHandBack(new(holder, default, Held: 0, Round: 0, Seen: -1), Now(0));

    private static LimitPolicyOptions Policy(LimitAlgorithm algorithm, int limit) =>
        new() { Algorithm = algorithm, Limit = limit, Window = Length };

    private static TimeSpan Now(double seconds) => TimeSpan.FromSeconds(seconds);

    private PermitRequest Ask(int wanted) => new(Frontend, ++_sequence, wanted, Spare: 0, Held: 0, new(_returns, 0, 0), null);

    private PermitGrant Exchange(PermitRequest request, TimeSpan now, bool persist = true, Bucket? bucket = null)
    {
        bucket ??= _bucket;
        bucket.Hear(request, now);
        while (persist && bucket.Prepare(request, now) is { } reservation)
        {
            bucket.Pool.Commit(reservation);
        }

        return bucket.Answer(request, now);
    }
}
