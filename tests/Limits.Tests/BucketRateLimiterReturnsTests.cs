using Marketplace.Limits;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Limits.Tests;

/// <summary>Permits that come back, among them those whose policy, lease or frontend ends while they are in use or under way.</summary>
public sealed class BucketRateLimiterReturnsTests : LimiterTests
{
    [Fact]
    public async Task A_permit_given_back_is_spent_by_the_next_request_and_not_asked_for()
    {
        await AdmitAsync(granted: 1, remaining: 199, lease => lease.GiveBack());

        Assert.True(Limiter.AttemptAcquire().IsAcquired);
        Assert.Equal(1, Link.Calls);
    }

    [Fact]
    public async Task A_permit_given_back_goes_to_the_bucket_when_the_bucket_has_none()
    {
        await AdmitAsync(granted: 1, remaining: 0, lease => lease.GiveBack(), lot: 7);

        var returned = (await Link.NextHandBackAsync()).Returned;

        Assert.Equal((1, 7L), (returned.Count, returned.Lot));
    }

    [Fact]
    public async Task A_request_that_gave_up_leaves_its_permit_for_the_next()
    {
        using var gaveUp = new CancellationTokenSource();
        var acquiring = Limiter.AcquireAsync(1, gaveUp.Token).AsTask();
        var exchange = await Link.NextAsync();
        await gaveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => acquiring);

        exchange.Answer(granted: 1, remaining: 199);

        await UntilAsync(() => Limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task Under_a_concurrency_limit_a_permit_comes_back_when_the_request_ends()
    {
        Policy.Algorithm = LimitAlgorithm.Concurrency;
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199);
        using (await acquiring)
        {
            Assert.False(Limiter.AttemptAcquire().IsAcquired);
        }

        Assert.True(Limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task What_is_in_use_is_renewed_also_when_nothing_else_is_in_hand()
    {
        Policy.Algorithm = LimitAlgorithm.Concurrency;
        var first = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 2, remaining: 0, endsIn: 12);
        using var lasting = await Limiter.AcquireAsync();
        (await first).Dispose();
        Assert.Equal((1, 1), await Link.NextHandBackAsync() is var handBack ? (handBack.Returned.Count, handBack.Held) : default);

        Clock.Advance(TimeSpan.FromSeconds(5));
        Limiter.Maintain(idleAfter: TimeSpan.FromMinutes(2));

        Assert.Equal(1, (await Link.NextAsync()).Request.Held);
        Assert.True(lasting.IsAcquired);
    }

    [Fact]
    public async Task What_is_in_use_under_a_lease_that_has_run_out_is_claimed_no_more()
    {
        Policy.Algorithm = LimitAlgorithm.Concurrency;
        var first = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199, endsIn: 12);
        using var lasting = await first;

        Clock.Advance(TimeSpan.FromSeconds(12));
        _ = Limiter.AcquireAsync().AsTask();

        Assert.Equal(0, (await Link.NextAsync()).Request.Held);
    }

    [Fact]
    public async Task A_permit_of_a_window_that_comes_back_under_a_concurrency_limit_was_never_in_use()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199);
        var lease = (BucketLease)await acquiring;
        Followed.Current = new(Version: 1, new() { Algorithm = LimitAlgorithm.Concurrency });

        lease.GiveBack();

        _ = Limiter.AcquireAsync().AsTask();
        var request = (await Link.NextAsync()).Request;
        Assert.Equal((0, 1), (request.Held, request.Returned.Count));
    }

    [Fact]
    public async Task Tokens_that_nobody_spends_go_back_before_their_lease_ends()
    {
        Policy.Algorithm = LimitAlgorithm.TokenBucket;
        await AdmitAsync(granted: 5, remaining: 195, endsIn: 12);

        PassMostOfALease();

        var handBack = await Link.NextHandBackAsync();
        Assert.Equal((4, 0), (handBack.Returned.Count, handBack.Held));
    }

    [Fact]
    public async Task Tokens_that_are_being_spent_are_kept_and_their_lease_prolonged()
    {
        Policy.Algorithm = LimitAlgorithm.TokenBucket;
        await AdmitAsync(granted: 5, remaining: 195, endsIn: 12);
        TakeOver();
        Assert.True(Limiter.AttemptAcquire().IsAcquired);

        PassMostOfALease();

        var request = (await Link.NextAsync()).Request;
        Assert.Equal((0, 0, 3, 0), (request.Wanted, request.Spare, request.Held, request.Returned.Count));
    }

    [Fact]
    public async Task A_token_that_is_given_back_goes_to_the_bucket_before_its_lease_ends()
    {
        Policy.Algorithm = LimitAlgorithm.TokenBucket;
        await AdmitAsync(granted: 1, remaining: 199, lease => lease.GiveBack(), endsIn: 12);

        PassMostOfALease();

        Assert.Equal(1, (await Link.NextHandBackAsync()).Returned.Count);
    }

    /// <summary>A request that costs more than there is takes what there is into hand, and mustn't destroy it.</summary>
    [Fact]
    public async Task What_a_refused_request_left_in_hand_of_a_token_bucket_goes_back_before_its_lease_ends()
    {
        Policy.Algorithm = LimitAlgorithm.TokenBucket;
        var acquiring = Limiter.AcquireAsync(5).AsTask();
        (await Link.NextAsync()).Answer(granted: 4, remaining: 0, endsIn: 12, isShort: true);
        Assert.False((await acquiring).IsAcquired);

        PassMostOfALease();

        Assert.Equal(4, (await Link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task A_frontend_that_stops_hands_back_what_was_under_way_to_it()
    {
        _ = Limiter.AcquireAsync().AsTask();
        var call = await Link.NextAsync();
        Link.IsDraining = true;
        var handedBack = Limiter.HandBackAllAsync(CancellationToken.None);
        Assert.False(handedBack.IsCompleted);

        call.Answer(granted: 5, remaining: 195);

        Assert.Equal(4, (await Link.NextHandBackAsync()).Returned.Count);
        await handedBack.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
    }

    [Fact]
    public async Task What_a_limiter_that_is_not_kept_takes_back_goes_back_at_once_and_is_counted_once()
    {
        var meters = new PolicyMeters("general", Clock);
        using var limiter = Create(isKept: false, meters);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199);

        ((BucketLease)await acquiring).GiveBack();

        Assert.Equal(1, (await Link.NextHandBackAsync()).Returned.Count);
        Assert.Equal((1, 0), (meters.GivenBack, meters.RetiredSpent)); // admitted are both together
    }

    [Fact]
    public async Task What_a_limiter_that_is_not_kept_has_in_use_is_renewed_until_it_comes_back()
    {
        Policy.Algorithm = LimitAlgorithm.Concurrency;
        using var limiter = Create(isKept: false);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199, endsIn: 12);
        var lasting = await acquiring;

        for (var i = 0; i < 3; i++)
        {
            var renewal = Link.NextAsync();
            await AdvanceUntilAsync(renewal);
            Assert.Equal(1, (await renewal).Request.Held);
            (await renewal).Answer(granted: 0, remaining: 199, endsIn: 12);
        }

        lasting.Dispose();
        Assert.Equal(1, (await Link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task What_goes_back_with_a_request_is_counted_as_handed_back()
    {
        var meters = new PolicyMeters("general", Clock);
        using var limiter = Create(isKept: true, meters);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 5, remaining: 195);
        await acquiring;
        Followed.Current = new(Version: 1, Policy);

        acquiring = limiter.AcquireAsync().AsTask();
        var call = await Link.NextAsync();
        Assert.Equal(4, call.Request.Returned.Count);
        call.Answer(granted: 1, remaining: 198, version: 1, lot: 2);
        await acquiring;

        Assert.Equal((4, 2), (meters.Returned, meters.Calls));
    }

    /// <summary>Of 12 s.</summary>
    private void PassMostOfALease()
    {
        TakeOver();
        Clock.Advance(TimeSpan.FromSeconds(9));
    }

    /// <summary>Waits until the answer has been taken over: who waited for it is told in the midst of that.</summary>
    private void TakeOver() => Limiter.GetStatistics();
}
