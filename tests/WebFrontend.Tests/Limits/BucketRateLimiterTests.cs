using System.Threading.RateLimiting;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Limits;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Limits;

public sealed class BucketRateLimiterTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);
    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedBucket _bucket = new();
    private readonly BucketRateLimiter _limiter;

    public BucketRateLimiterTests() =>
        _limiter = new("general", _bucket, Deadline, _clock, NullLogger.Instance);

    public void Dispose() => _limiter.Dispose();

    [Fact]
    public async Task A_permit_comes_from_the_bucket()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _bucket.NextAsync()).Answer(granted: 1, remaining: 199);

        using var lease = await acquiring;

        Assert.True(lease.IsAcquired);
        Assert.True(lease.TryGetMetadata(BucketLease.Status, out var status));
        Assert.Equal(new PermitStatus("general", 200, TimeSpan.FromMinutes(15), 199, TimeSpan.FromSeconds(60)), status);
    }

    [Fact]
    public async Task Requests_that_arrive_during_an_exchange_share_the_next_one()
    {
        var first = _limiter.AcquireAsync().AsTask();
        var exchange = await _bucket.NextAsync();
        var others = Enumerable.Range(0, 5).Select(_ => _limiter.AcquireAsync().AsTask()).ToList();
        exchange.Answer(granted: 1, remaining: 199);

        var shared = await _bucket.NextAsync();
        Assert.Equal(5, shared.Request.Wanted);
        shared.Answer(granted: 3, remaining: 0);

        Assert.True((await first).IsAcquired);
        Assert.Equal(3, (await Task.WhenAll(others)).Count(lease => lease.IsAcquired));
    }

    [Fact]
    public async Task A_denial_is_remembered_until_the_window_ends_and_asks_nobody()
    {
        await DenyAsync(resetsIn: 60);

        _clock.Advance(TimeSpan.FromSeconds(59.9));
        using var denied = await _limiter.AcquireAsync();

        Assert.False(denied.IsAcquired);
        Assert.False(_limiter.AttemptAcquire().IsAcquired);
        Assert.True(denied.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter));
        Assert.Equal(0.1, retryAfter.TotalSeconds, 3);
        Assert.Equal(1, _bucket.Calls);
    }

    [Fact]
    public async Task After_the_window_the_bucket_is_asked_again()
    {
        await DenyAsync(resetsIn: 60);

        _clock.Advance(TimeSpan.FromSeconds(60));
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _bucket.NextAsync()).Answer(granted: 1, remaining: 199, window: 2);

        Assert.True((await acquiring).IsAcquired);
    }

    [Fact]
    public async Task A_denial_counts_from_the_moment_the_request_was_sent()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        var exchange = await _bucket.NextAsync();
        _clock.Advance(TimeSpan.FromSeconds(1));
        exchange.Answer(granted: 0, remaining: 0, resetsIn: 60);
        Assert.False((await acquiring).IsAcquired);

        _clock.Advance(TimeSpan.FromSeconds(59));
        _ = _limiter.AcquireAsync().AsTask();

        await _bucket.NextAsync(); // it asked: 60 s have passed since it asked first
    }

    [Fact]
    public async Task A_lost_answer_is_asked_for_again_under_the_same_number()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        var lost = await _bucket.NextAsync();
        lost.Fail(new UnavailableException("the silo died"));
        var repeated = await NextAfterRetryIntervalAsync();
        repeated.Answer(granted: 1, remaining: 199);

        Assert.True((await acquiring).IsAcquired);
        Assert.Equal(lost.Request, repeated.Request);
    }

    [Fact]
    public async Task A_bucket_that_does_not_answer_in_time_is_unavailable_and_not_exhausted()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        await _bucket.NextAsync();
        await AdvanceUntilAsync(acquiring);

        var lease = await acquiring;

        Assert.False(lease.IsAcquired);
        Assert.True(lease.TryGetMetadata(BucketLease.Reason, out var reason));
        Assert.Equal(RefusalReason.Unavailable, reason);
    }

    [Fact]
    public async Task The_answer_to_a_call_that_timed_out_is_used_by_the_next_request()
    {
        var first = _limiter.AcquireAsync().AsTask();
        var timedOut = await _bucket.NextAsync();
        await AdvanceUntilAsync(first);
        await first;

        var second = _limiter.AcquireAsync().AsTask();
        var repeated = await _bucket.NextAsync();
        repeated.Answer(granted: 1, remaining: 199);

        Assert.Equal(timedOut.Request, repeated.Request);
        Assert.True((await second).IsAcquired);
    }

    [Fact]
    public async Task A_permit_given_back_goes_back_to_the_bucket()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _bucket.NextAsync()).Answer(granted: 1, remaining: 199, window: 7);

        _limiter.GiveBack((BucketLease)await acquiring);

        var request = (await _bucket.NextAsync()).Request;
        Assert.Equal((0, 1, 7L), (request.Wanted, request.Returned, request.ReturnedWindow));
    }

    [Fact]
    public async Task A_request_that_gave_up_hands_its_permit_back()
    {
        using var gaveUp = new CancellationTokenSource();
        var acquiring = _limiter.AcquireAsync(1, gaveUp.Token).AsTask();
        var exchange = await _bucket.NextAsync();
        await gaveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => acquiring);
        exchange.Answer(granted: 1, remaining: 199);

        Assert.Equal(1, (await _bucket.NextAsync()).Request.Returned);
    }

    [Fact]
    public async Task More_permits_than_the_limit_are_refused_and_nothing_is_kept()
    {
        var acquiring = _limiter.AcquireAsync(300).AsTask();
        (await _bucket.NextAsync()).Answer(granted: 200, remaining: 0);

        Assert.False((await acquiring).IsAcquired);
        Assert.Equal(200, (await _bucket.NextAsync()).Request.Returned);
    }

    [Fact]
    public async Task A_partition_is_idle_once_it_has_nothing_to_remember()
    {
        await DenyAsync(resetsIn: 60);
        Assert.Null(_limiter.IdleDuration);

        _clock.Advance(TimeSpan.FromSeconds(70));

        Assert.Equal(TimeSpan.FromSeconds(70), _limiter.IdleDuration);
    }

    private async Task DenyAsync(double resetsIn)
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _bucket.NextAsync()).Answer(granted: 0, remaining: 0, resetsIn: resetsIn);
        Assert.False((await acquiring).IsAcquired);
    }

    private async Task<ScriptedBucket.Call> NextAfterRetryIntervalAsync()
    {
        var next = _bucket.NextAsync();
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
