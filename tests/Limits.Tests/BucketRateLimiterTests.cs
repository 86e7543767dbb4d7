using System.Threading.RateLimiting;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits;

namespace Limits.Tests;

/// <summary>Permits on lease, and refusals that are remembered.</summary>
public sealed class BucketRateLimiterTests : LimiterTests
{
    [Fact]
    public async Task A_permit_comes_from_the_bucket()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199);

        using var lease = await acquiring;

        Assert.True(lease.IsAcquired);
        Assert.True(lease.TryGetMetadata(BucketLease.StatusName, out var status));
        Assert.Equal(new PermitStatus("general", 200, TimeSpan.FromMinutes(15), 199, TimeSpan.FromSeconds(60)), status);
    }

    [Fact]
    public async Task Leased_permits_are_spent_without_asking()
    {
        await AdmitAsync(granted: 5, remaining: 195);

        Assert.All(Enumerable.Range(0, 4), _ => Assert.True(Limiter.AttemptAcquire().IsAcquired));
        Assert.False(Limiter.AttemptAcquire().IsAcquired);
        Assert.Equal(1, Link.Calls);
    }

    [Fact]
    public async Task A_lease_that_was_used_up_soon_is_followed_by_a_larger_one()
    {
        await AdmitAsync(granted: 1, remaining: 199);

        _ = Limiter.AcquireAsync().AsTask();

        Assert.Equal((1, 7), await Link.NextAsync() is { Request: var request } ? (request.Wanted, request.Spare) : default);
    }

    [Fact]
    public async Task A_lease_ends_by_time()
    {
        await AdmitAsync(granted: 5, remaining: 195, endsIn: 10);

        Clock.Advance(TimeSpan.FromSeconds(10));

        Assert.False(Limiter.AttemptAcquire().IsAcquired);
    }

    [Theory]
    [InlineData(LimitAlgorithm.FixedWindow, 200)] // the window is over, and everything is back
    [InlineData(LimitAlgorithm.SlidingWindow, 25 + 23)]
    [InlineData(LimitAlgorithm.TokenBucket, 25 + 23)]
    [InlineData(LimitAlgorithm.Concurrency, 25 + 23)]
    public async Task Once_more_permits_have_come_back_nobody_is_told_that_all_have(LimitAlgorithm algorithm, int remaining)
    {
        Policy.Algorithm = algorithm;
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 25, remaining: 25, resetsIn: 4.5);
        await acquiring;
        Clock.Advance(TimeSpan.FromSeconds(5));

        var lease = (BucketLease)Limiter.AttemptAcquire();

        Assert.True(lease.IsAcquired);
        Assert.Equal((200, remaining, TimeSpan.Zero), (lease.Status.Limit, lease.Status.Remaining, lease.Status.ResetsIn));
    }

    [Fact]
    public async Task A_large_lease_is_refilled_before_it_is_used_up()
    {
        await AdmitAsync(granted: 64, remaining: 1_000);

        Assert.All(Enumerable.Range(0, 47), _ => Assert.True(Limiter.AttemptAcquire().IsAcquired));

        Assert.Equal(16, (await Link.NextAsync()).Request.Held);
    }

    [Fact]
    public async Task A_recall_takes_all_that_is_unspent()
    {
        await AdmitAsync(granted: 5, remaining: 0);

        Limiter.Recall(round: 7, answered: 1);

        var handBack = await Link.NextHandBackAsync();
        Assert.Equal((4, 1L, 0, 7L), (handBack.Returned.Count, handBack.Returned.Lot, handBack.Held, handBack.Round));
        Assert.False(Limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_recall_that_overtakes_an_answer_waits_for_it()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        var call = await Link.NextAsync();
        Limiter.Recall(round: 7, answered: call.Request.Sequence);

        call.Answer(granted: 5, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
        Assert.Equal(4, (await Link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task Idle_permits_go_back()
    {
        await AdmitAsync(granted: 5, remaining: 195);
        Clock.Advance(TimeSpan.FromSeconds(11));

        Limiter.Maintain(idleAfter: TimeSpan.FromSeconds(10));

        Assert.Equal(4, (await Link.NextHandBackAsync()).Returned.Count);
    }

    [Fact]
    public async Task Requests_that_arrive_during_an_exchange_share_the_next_one()
    {
        var first = Limiter.AcquireAsync().AsTask();
        var exchange = await Link.NextAsync();
        var others = Enumerable.Range(0, 5).Select(_ => Limiter.AcquireAsync().AsTask()).ToList();
        exchange.Answer(granted: 1, remaining: 199);

        var shared = await Link.NextAsync();
        Assert.Equal(5, shared.Request.Wanted);
        shared.Answer(granted: 3, remaining: 0, isShort: true);

        Assert.True((await first).IsAcquired);
        Assert.Equal(3, (await Task.WhenAll(others)).Count(lease => lease.IsAcquired));
    }

    [Fact]
    public async Task A_refusal_is_remembered_until_the_window_ends_and_asks_nobody()
    {
        await RefuseAsync();

        Clock.Advance(TimeSpan.FromSeconds(59.9));
        using var refused = await Limiter.AcquireAsync();

        Assert.False(refused.IsAcquired);
        Assert.False(Limiter.AttemptAcquire().IsAcquired);
        Assert.True(refused.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter));
        Assert.Equal(0.1, retryAfter.TotalSeconds, 3);
        Assert.Equal(1, Link.Calls);
    }

    [Fact]
    public async Task Permits_that_came_back_somewhere_end_a_refusal()
    {
        await RefuseAsync();

        Limiter.Reopen();
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_refusal_that_is_overtaken_by_permits_that_came_back_refuses_nobody_who_comes_later()
    {
        var refused = Limiter.AcquireAsync().AsTask();
        var overtaken = await Link.NextAsync();

        Limiter.Reopen();
        overtaken.Refuse(retryIn: 60);
        Assert.False((await refused).IsAcquired);
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 0);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_flood_is_refused_with_what_the_bucket_said_last()
    {
        Assert.Null(Limiter.KnownRefusal(1));
        await RefuseAsync();

        Clock.Advance(TimeSpan.FromSeconds(12));
        var refusal = Limiter.KnownRefusal(1);

        Assert.Equal(RefusalReason.Exhausted, refusal?.Reason);
        Assert.Equal((200, 0, 48.0), (refusal!.Status.Limit, refusal.Status.Remaining, Math.Round(refusal.Status.ResetsIn.TotalSeconds, 3)));
        Assert.Equal(2, Limiter.GetStatistics().TotalFailedLeases); // the one that asked, and this
        Limiter.Reopen();
        Assert.Null(Limiter.KnownRefusal(1));
    }

    [Fact]
    public async Task After_the_window_the_bucket_is_asked_again()
    {
        await RefuseAsync();

        Clock.Advance(TimeSpan.FromSeconds(60));
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 1, remaining: 199, lot: 2);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_refusal_counts_from_the_moment_the_request_was_sent()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        var exchange = await Link.NextAsync();
        Clock.Advance(TimeSpan.FromSeconds(1));
        exchange.Refuse(retryIn: 60);
        Assert.False((await acquiring).IsAcquired);

        Clock.Advance(TimeSpan.FromSeconds(59));
        _ = Limiter.AcquireAsync().AsTask();

        await Link.NextAsync(); // it asked: 60 s have passed since it asked first
    }

    [Fact]
    public async Task Who_is_refused_is_told_to_wait_from_the_moment_the_answer_came()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        var exchange = await Link.NextAsync();
        Clock.Advance(TimeSpan.FromSeconds(0.5));
        exchange.Refuse(retryIn: 10.2); // which the bucket counts from its answer
        Assert.Equal(10.2, RetryAfter((BucketLease)await acquiring), 3);

        Clock.Advance(TimeSpan.FromSeconds(9.5));

        Assert.Equal(0.7, RetryAfter((BucketLease)Limiter.AttemptAcquire()), 3);
        Assert.Equal(0.7, RetryAfter(Limiter.KnownRefusal(1)!), 3);

        static double RetryAfter(BucketLease refused) =>
            refused.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter) ? retryAfter.TotalSeconds : 0;
    }

    [Fact]
    public async Task More_permits_than_the_limit_are_refused_and_cheaper_requests_are_not()
    {
        var acquiring = Limiter.AcquireAsync(300).AsTask();
        (await Link.NextAsync()).Answer(granted: 200, remaining: 0, isShort: true);

        Assert.False((await acquiring).IsAcquired);
        Assert.True(Limiter.AttemptAcquire(200).IsAcquired);
    }

    [Fact]
    public async Task Who_asks_for_less_than_what_was_refused_is_asked_for_by_itself()
    {
        var dear = Limiter.AcquireAsync(5).AsTask();
        var call = await Link.NextAsync();
        var cheap = Limiter.AcquireAsync().AsTask();

        call.Refuse();

        Assert.False((await dear).IsAcquired);
        var next = await Link.NextAsync();
        next.Answer(granted: 1, remaining: 0);
        Assert.True((await cheap).IsAcquired);
        Assert.Equal((5, 1), (call.Request.Least, next.Request.Least));
    }

    [Fact]
    public async Task A_changed_policy_ends_leases_and_refusals()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 5, remaining: 195);
        await acquiring;
        Assert.True(Limiter.AttemptAcquire().IsAcquired);

        Followed.Current = new(Version: 1, Policy);

        Assert.False(Limiter.AttemptAcquire().IsAcquired);
    }

    [Fact]
    public async Task A_partition_is_idle_once_it_has_nothing_to_remember()
    {
        await RefuseAsync();
        Assert.Null(Limiter.IdleDuration);

        Clock.Advance(TimeSpan.FromSeconds(70));
        await UntilAsync(() => Limiter.IdleDuration is not null); // the exchange that was refused ends on a thread of its own

        Assert.Equal(TimeSpan.FromSeconds(70), Limiter.IdleDuration);
        Assert.True(Limiter.TryRetire(TimeSpan.FromSeconds(30)));
    }
}
