using Marketplace.Limits;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Limits.Tests;

/// <summary>What a limiter does while its bucket can't be reached.</summary>
public sealed class BucketRateLimiterTroubleTests : LimiterTests
{
    [Fact]
    public async Task A_lost_answer_is_asked_for_again_under_the_same_number()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        var lost = await Link.NextAsync();
        lost.Fail(new UnavailableException("the silo died"));
        var repeated = await NextAfterRetryIntervalAsync();
        repeated.Answer(granted: 1, remaining: 199);

        Assert.True((await acquiring).IsAcquired);
        Assert.Equal(lost.Request, repeated.Request);
    }

    [Fact]
    public async Task A_bucket_that_does_not_answer_in_time_is_unavailable_and_the_next_request_does_not_wait()
    {
        Assert.Equal(RefusalReason.Unavailable, await InTroubleAsync());

        using var next = await Limiter.AcquireAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);

        Assert.Equal(RefusalReason.Unavailable, ((BucketLease)next).Reason);
    }

    [Fact]
    public async Task A_policy_may_admit_while_its_bucket_cannot_be_reached()
    {
        Policy.Trouble = TroubleMode.Allow;

        Assert.Equal(RefusalReason.None, await InTroubleAsync());
    }

    [Fact]
    public async Task A_frontend_admits_its_share_while_the_bucket_cannot_be_reached()
    {
        Policy.Trouble = TroubleMode.LocalShare;
        Policy.Limit = 7;
        Link.LiveFrontends = 3;
        Assert.Equal(RefusalReason.None, await InTroubleAsync());

        Assert.True((await Limiter.AcquireAsync()).IsAcquired);
        Assert.False((await Limiter.AcquireAsync()).IsAcquired); // 7 / 3 = 2 were its share
    }

    [Theory]
    [InlineData(LimitAlgorithm.Concurrency)]
    [InlineData(LimitAlgorithm.FixedWindow)]
    public async Task What_of_a_share_has_ended_or_was_not_used_may_be_taken_again(LimitAlgorithm algorithm)
    {
        Policy.Trouble = TroubleMode.LocalShare;
        Policy.Algorithm = algorithm;
        Policy.Limit = 2;
        Assert.Equal(RefusalReason.None, await InTroubleAsync());
        var lease = (BucketLease)await Limiter.AcquireAsync();
        Assert.True(lease.IsAcquired);
        Assert.False((await Limiter.AcquireAsync()).IsAcquired);

        if (algorithm == LimitAlgorithm.Concurrency)
        {
            lease.Dispose();
        }
        else
        {
            lease.GiveBack();
        }

        lease.GiveBack(); // once more counts for nothing
        Assert.True((await Limiter.AcquireAsync()).IsAcquired);
        Assert.False((await Limiter.AcquireAsync()).IsAcquired);
    }

    [Fact]
    public async Task A_partition_that_has_used_some_of_its_share_is_not_forgotten_before_the_next_trouble_may_come()
    {
        Policy.Trouble = TroubleMode.LocalShare;
        Policy.Window = TimeSpan.FromMinutes(15);
        Assert.Equal(RefusalReason.None, await InTroubleAsync());
        Limiter.Maintain(idleAfter: TimeSpan.MaxValue);
        (await Link.NextAsync()).Answer(granted: 0, remaining: 199);
        await UntilAsync(() => Limiter.GetStatistics()!.CurrentAvailablePermits == 199); // the trouble is over

        Clock.Advance(TimeSpan.FromMinutes(10));
        Assert.False(Limiter.TryRetire(TimeSpan.FromMinutes(5)));

        Clock.Advance(TimeSpan.FromMinutes(5));
        await UntilAsync(() => Limiter.TryRetire(TimeSpan.FromMinutes(5)));
    }

    [Fact]
    public async Task A_share_of_a_token_bucket_comes_back_as_fast_as_its_tokens()
    {
        Policy.Trouble = TroubleMode.LocalShare;
        Policy.Algorithm = LimitAlgorithm.TokenBucket;
        (Policy.Limit, Policy.Refill, Policy.Window) = (2, 1, TimeSpan.FromSeconds(30));
        Assert.Equal(RefusalReason.None, await InTroubleAsync());
        Assert.True((await Limiter.AcquireAsync()).IsAcquired);

        Clock.Advance(TimeSpan.FromSeconds(40));
        Assert.False((await Limiter.AcquireAsync()).IsAcquired); // two in a minute are its rate

        Clock.Advance(TimeSpan.FromSeconds(20));
        Assert.True((await Limiter.AcquireAsync()).IsAcquired);
    }

    [Fact]
    public async Task The_answer_to_a_call_that_timed_out_ends_the_trouble()
    {
        await InTroubleAsync();
        _ = await Limiter.AcquireAsync(); // in the background it asks again

        (await NextAfterRetryIntervalAsync()).Answer(granted: 2, remaining: 198);

        await UntilAsync(() => Limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_partition_that_is_not_kept_leaves_no_trouble_behind_in_the_meters()
    {
        var meters = new PolicyMeters("general", Clock);
        using var limiter = Create(isKept: false, meters);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Fail(new LinkBrokenException());
        Assert.False((await acquiring).IsAcquired);

        Clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(TimeSpan.Zero, meters.Trouble);
    }

    [Fact]
    public async Task A_partition_that_is_not_kept_has_no_share_of_its_own()
    {
        Policy.Trouble = TroubleMode.LocalShare;
        using var limiter = Create(isKept: false);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Fail(new LinkBrokenException());

        Assert.Equal(RefusalReason.Unavailable, ((BucketLease)await acquiring).Reason);
    }

    private async Task<RefusalReason> InTroubleAsync()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        await Link.NextAsync();
        await AdvanceUntilAsync(acquiring);
        return ((BucketLease)await acquiring).Reason;
    }

    private async Task<ScriptedLink.Call> NextAfterRetryIntervalAsync()
    {
        var next = Link.NextAsync();
        await AdvanceUntilAsync(next, TimeSpan.FromMilliseconds(1));
        return await next;
    }
}
