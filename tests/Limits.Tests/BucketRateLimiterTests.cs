using System.Threading.RateLimiting;
using Marketplace.Limits;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Limits.Tests;

public sealed class BucketRateLimiterTests : IDisposable
{
    private static readonly LimitsOptions Options = new();
    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedLink _link = new();
    private readonly LimitPolicyOptions _policy = new();
    private readonly BucketRateLimiter _limiter;

    public BucketRateLimiterTests() => _limiter = new(
        new("general", new FollowedPolicy(new(Version: 0, _policy)), _link, new("general", _clock), _clock, Options, NullLogger.Instance),
        "someone",
        isKept: true);

    public void Dispose() => _limiter.Dispose();

    [Fact]
    public async Task A_permit_comes_from_the_bucket()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 199);

        using var lease = await acquiring;

        Assert.True(lease.IsAcquired);
        Assert.True(lease.TryGetMetadata(BucketLease.StatusName, out var status));
        Assert.Equal(new PermitStatus("general", 200, TimeSpan.FromMinutes(15), 199, TimeSpan.FromSeconds(60)), status);
    }

    [Fact]
    public async Task Leased_permits_are_spent_without_asking()
    {
        await AdmitAsync(granted: 5, remaining: 195);

        Assert.All(Enumerable.Range(0, 4), _ => Assert.True(_limiter.AttemptAcquire().IsAcquired));
        Assert.False(_limiter.AttemptAcquire().IsAcquired);
        Assert.Equal(1, _link.Calls);
    }

    [Fact]
    public async Task A_lease_that_was_used_up_soon_is_followed_by_a_larger_one()
    {
        await AdmitAsync(granted: 1, remaining: 199);

        _ = _limiter.AcquireAsync().AsTask();

        Assert.Equal((1, 7), await _link.NextAsync() is { Request: var request } ? (request.Wanted, request.Spare) : default);
    }

    [Fact]
    public async Task A_lease_ends_by_time()
    {
        await AdmitAsync(granted: 5, remaining: 195, endsIn: 10);

        _clock.Advance(TimeSpan.FromSeconds(10));

        Assert.False(_limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_large_lease_is_refilled_before_it_is_used_up()
    {
        await AdmitAsync(granted: 64, remaining: 1_000);

        Assert.All(Enumerable.Range(0, 47), _ => Assert.True(_limiter.AttemptAcquire().IsAcquired));

        Assert.Equal(16, (await _link.NextAsync()).Request.Held);
    }

    [Fact]
    public async Task A_recall_takes_all_that_is_unspent()
    {
        await AdmitAsync(granted: 5, remaining: 0);

        _limiter.Recall(round: 7, answered: 1);

        var handBack = await _link.NextHandBackAsync();
        Assert.Equal((4, 1L, 0, 7L), (handBack.Returned.Count, handBack.Returned.Lot, handBack.Held, handBack.Round));
        Assert.False(_limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_recall_that_overtakes_an_answer_waits_for_it()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        var call = await _link.NextAsync();
        _limiter.Recall(round: 7, answered: call.Request.Sequence);

        call.Answer(granted: 5, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
        Assert.Equal(4, (await _link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task Idle_permits_go_back()
    {
        await AdmitAsync(granted: 5, remaining: 195);
        _clock.Advance(TimeSpan.FromSeconds(11));

        _limiter.Maintain(idleAfter: TimeSpan.FromSeconds(10));

        Assert.Equal(4, (await _link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task Requests_that_arrive_during_an_exchange_share_the_next_one()
    {
        var first = _limiter.AcquireAsync().AsTask();
        var exchange = await _link.NextAsync();
        var others = Enumerable.Range(0, 5).Select(_ => _limiter.AcquireAsync().AsTask()).ToList();
        exchange.Answer(granted: 1, remaining: 199);

        var shared = await _link.NextAsync();
        Assert.Equal(5, shared.Request.Wanted);
        shared.Answer(granted: 3, remaining: 0, isShort: true);

        Assert.True((await first).IsAcquired);
        Assert.Equal(3, (await Task.WhenAll(others)).Count(lease => lease.IsAcquired));
    }

    [Fact]
    public async Task A_refusal_is_remembered_until_the_window_ends_and_asks_nobody()
    {
        await RefuseAsync();

        _clock.Advance(TimeSpan.FromSeconds(59.9));
        using var refused = await _limiter.AcquireAsync();

        Assert.False(refused.IsAcquired);
        Assert.False(_limiter.AttemptAcquire().IsAcquired);
        Assert.True(refused.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter));
        Assert.Equal(0.1, retryAfter.TotalSeconds, 3);
        Assert.Equal(1, _link.Calls);
    }

    [Fact]
    public async Task Permits_that_came_back_somewhere_end_a_refusal()
    {
        await RefuseAsync();

        _limiter.Reopen();
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_refusal_that_is_overtaken_by_permits_that_came_back_refuses_nobody_who_comes_later()
    {
        var refused = _limiter.AcquireAsync().AsTask();
        var overtaken = await _link.NextAsync();

        _limiter.Reopen();
        overtaken.Refuse(retryIn: 60);
        Assert.False((await refused).IsAcquired);
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_flood_is_refused_with_what_the_bucket_said_last()
    {
        Assert.Null(_limiter.KnownRefusal(1));
        await RefuseAsync();

        _clock.Advance(TimeSpan.FromSeconds(12));
        var refusal = _limiter.KnownRefusal(1);

        Assert.Equal(RefusalReason.Exhausted, refusal?.Reason);
        Assert.Equal((200, 0, 48.0), (refusal!.Status.Limit, refusal.Status.Remaining, Math.Round(refusal.Status.ResetsIn.TotalSeconds, 3)));
        Assert.Equal(2, _limiter.GetStatistics().TotalFailedLeases); // the one that asked, and this
        _limiter.Reopen();
        Assert.Null(_limiter.KnownRefusal(1));
    }

    [Fact]
    public async Task After_the_window_the_bucket_is_asked_again()
    {
        await RefuseAsync();

        _clock.Advance(TimeSpan.FromSeconds(60));
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 199, lot: 2);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_refusal_counts_from_the_moment_the_request_was_sent()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        var exchange = await _link.NextAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));
        exchange.Refuse(retryIn: 60);
        Assert.False((await acquiring).IsAcquired);

        _clock.Advance(TimeSpan.FromSeconds(59));
        _ = _limiter.AcquireAsync().AsTask();

        await _link.NextAsync(); // it asked: 60 s have passed since it asked first
    }

    [Fact]
    public async Task A_lost_answer_is_asked_for_again_under_the_same_number()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        var lost = await _link.NextAsync();
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

        using var next = await _limiter.AcquireAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);

        Assert.Equal(RefusalReason.Unavailable, ((BucketLease)next).Reason);
    }

    [Fact]
    public async Task A_policy_may_admit_while_its_bucket_cannot_be_reached()
    {
        _policy.Trouble = TroubleMode.Allow;

        Assert.Equal(RefusalReason.None, await InTroubleAsync());
    }

    [Fact]
    public async Task A_frontend_admits_its_share_while_the_bucket_cannot_be_reached()
    {
        _policy.Trouble = TroubleMode.LocalShare;
        _policy.Limit = 7;
        _link.LiveFrontends = 3;
        Assert.Equal(RefusalReason.None, await InTroubleAsync());

        Assert.True((await _limiter.AcquireAsync()).IsAcquired);
        Assert.False((await _limiter.AcquireAsync()).IsAcquired); // 7 / 3 = 2 were its share
    }

    [Fact]
    public async Task The_answer_to_a_call_that_timed_out_ends_the_trouble()
    {
        await InTroubleAsync();
        _ = await _limiter.AcquireAsync(); // in the background it asks again

        (await NextAfterRetryIntervalAsync()).Answer(granted: 2, remaining: 198);

        await UntilAsync(() => _limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_permit_given_back_is_spent_by_the_next_request_and_not_asked_for()
    {
        await AdmitAsync(granted: 1, remaining: 199, lease => lease.GiveBack());

        Assert.True(_limiter.AttemptAcquire().IsAcquired);
        Assert.Equal(1, _link.Calls);
    }

    [Fact]
    public async Task A_permit_given_back_goes_to_the_bucket_when_the_bucket_has_none()
    {
        await AdmitAsync(granted: 1, remaining: 0, lease => lease.GiveBack(), lot: 7);

        var returned = (await _link.NextHandBackAsync()).Returned;

        Assert.Equal((1, 7L), (returned.Count, returned.Lot));
    }

    [Fact]
    public async Task A_request_that_gave_up_leaves_its_permit_for_the_next()
    {
        using var gaveUp = new CancellationTokenSource();
        var acquiring = _limiter.AcquireAsync(1, gaveUp.Token).AsTask();
        var exchange = await _link.NextAsync();
        await gaveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => acquiring);

        exchange.Answer(granted: 1, remaining: 199);

        await UntilAsync(() => _limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task More_permits_than_the_limit_are_refused_and_cheaper_requests_are_not()
    {
        var acquiring = _limiter.AcquireAsync(300).AsTask();
        (await _link.NextAsync()).Answer(granted: 200, remaining: 0, isShort: true);

        Assert.False((await acquiring).IsAcquired);
        Assert.True(_limiter.AttemptAcquire(200).IsAcquired);
    }

    [Fact]
    public async Task A_request_may_queue_for_permits_to_come_back()
    {
        _policy.QueueLimit = 1;
        var queued = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Refuse(retryIn: 5);

        var next = _link.NextAsync();
        await AdvanceUntilAsync(next);
        (await next).Answer(granted: 1, remaining: 5, lot: 2);

        Assert.True((await queued).IsAcquired);
    }

    [Fact]
    public async Task Who_queues_behind_others_waits_as_long_as_the_first_one_may()
    {
        _policy.QueueLimit = 5;
        var queued = Enumerable.Range(0, 5).Select(_ => _limiter.AcquireAsync().AsTask()).ToList();
        var call = await _link.NextAsync();
        for (var lot = 1; lot <= queued.Count; lot++)
        {
            call.Answer(granted: lot == 1 ? 0 : 1, remaining: 0, endsIn: 1, lot, isShort: true);
            var next = _link.NextAsync();
            await AdvanceUntilAsync(next);
            call = await next;
        }

        call.Answer(granted: 1, remaining: 0, endsIn: 1, lot: 6);

        Assert.All(await Task.WhenAll(queued).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System), lease => Assert.True(lease.IsAcquired));
    }

    [Fact]
    public async Task Nobody_queues_for_permits_that_come_back_too_late()
    {
        _policy.QueueLimit = 1;
        var queued = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Refuse(retryIn: (int)Options.QueueTime.TotalSeconds + 1);

        Assert.False((await queued).IsAcquired);
    }

    [Fact]
    public async Task A_queued_request_that_is_refused_again_and_again_is_refused_in_the_end()
    {
        _policy.QueueLimit = 1;
        var queued = _limiter.AcquireAsync().AsTask();
        for (var waited = 0; waited < Options.QueueTime.TotalSeconds; waited += 4)
        {
            var next = _link.NextAsync();
            await AdvanceUntilAsync(next);
            (await next).Refuse(retryIn: 4);
        }

        Assert.False((await queued.WaitAsync(TimeSpan.FromSeconds(10))).IsAcquired);
    }

    [Fact]
    public async Task While_the_bucket_has_yet_to_hear_of_a_changed_policy_it_is_asked_at_intervals()
    {
        _policy.QueueLimit = 1;
        _ = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 0, remaining: 0, endsIn: 5, version: 1, isShort: true);

        var next = _link.NextAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => next.WaitAsync(TimeSpan.FromMilliseconds(200), TimeProvider.System));
        await AdvanceUntilAsync(next);
        Assert.Equal(2, _link.Calls);
    }

    [Fact]
    public async Task A_partition_that_is_not_kept_leaves_no_trouble_behind_in_the_meters()
    {
        var meters = new PolicyMeters("general", _clock);
        using var limiter = new BucketRateLimiter(
            new("general", new FollowedPolicy(new(Version: 0, _policy)), _link, meters, _clock, Options, NullLogger.Instance),
            "someone",
            isKept: false);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Fail(new LinkBrokenException());
        Assert.False((await acquiring).IsAcquired);

        _clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(TimeSpan.Zero, meters.Trouble);
    }

    [Fact]
    public async Task Under_a_concurrency_limit_a_permit_comes_back_when_the_request_ends()
    {
        _policy.Algorithm = LimitAlgorithm.Concurrency;
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 199);
        using (await acquiring)
        {
            Assert.False(_limiter.AttemptAcquire().IsAcquired);
        }

        Assert.True(_limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_changed_policy_ends_leases_and_refusals()
    {
        var policy = new FollowedPolicy(new(Version: 0, _policy));
        using var limiter = new BucketRateLimiter(
            new("general", policy, _link, new("general", _clock), _clock, Options, NullLogger.Instance), "someone", isKept: true);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 5, remaining: 195);
        await acquiring;
        Assert.True(limiter.AttemptAcquire().IsAcquired);

        policy.Current = new(Version: 1, _policy);

        Assert.False(limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_partition_is_idle_once_it_has_nothing_to_remember()
    {
        await RefuseAsync();
        Assert.Null(_limiter.IdleDuration);

        _clock.Advance(TimeSpan.FromSeconds(70));

        Assert.Equal(TimeSpan.FromSeconds(70), _limiter.IdleDuration);
        Assert.True(_limiter.TryRetire(TimeSpan.FromSeconds(30)));
    }

    private async Task AdmitAsync(int granted, int remaining, Action<BucketLease>? then = null, double endsIn = 60, long lot = 1)
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted, remaining, endsIn, lot);
        var lease = (BucketLease)await acquiring;
        Assert.True(lease.IsAcquired);
        then?.Invoke(lease);
    }

    private async Task RefuseAsync()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Refuse(retryIn: 60);
        Assert.False((await acquiring).IsAcquired);
    }

    private async Task<RefusalReason> InTroubleAsync()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        await _link.NextAsync();
        await AdvanceUntilAsync(acquiring);
        return ((BucketLease)await acquiring).Reason;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var attempts = 0; !condition(); attempts++)
        {
            Assert.True(attempts < 5_000, "what was waited for did not happen");
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }

    private async Task<ScriptedLink.Call> NextAfterRetryIntervalAsync()
    {
        var next = _link.NextAsync();
        await AdvanceUntilAsync(next, TimeSpan.FromMilliseconds(1));
        return await next;
    }

    /// <summary>The exchange runs on the pool: time has to pass until it has noticed.</summary>
    private async Task AdvanceUntilAsync(Task done, TimeSpan? step = null)
    {
        for (var steps = 0; !done.IsCompleted; steps++)
        {
            Assert.True(steps < 10_000, "what was waited for did not happen");
            _clock.Advance(step ?? TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }
}
