using Marketplace.Limits;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Limits.Tests;

/// <summary>What happens to permits whose policy, lease or frontend comes to an end while they are in use or under way.</summary>
public sealed class BucketRateLimiterReturnsTests : IDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly ScriptedLink _link = new();
    private readonly LimitPolicyOptions _policy = new();
    private readonly FollowedPolicy _followed;
    private readonly BucketRateLimiter _limiter;

    public BucketRateLimiterReturnsTests()
    {
        _followed = new(new(Version: 0, _policy));
        _limiter = Create(isKept: true);
    }

    public void Dispose() => _limiter.Dispose();

    [Fact]
    public async Task What_is_in_use_is_renewed_also_when_nothing_else_is_in_hand()
    {
        _policy.Algorithm = LimitAlgorithm.Concurrency;
        var first = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 2, remaining: 0, endsIn: 12);
        using var lasting = await _limiter.AcquireAsync();
        (await first).Dispose();
        Assert.Equal((1, 1), await _link.NextHandBackAsync() is var handBack ? (handBack.Returned.Count, handBack.Held) : default);

        _limiter.Maintain(idleAfter: TimeSpan.FromMinutes(2));

        Assert.Equal(1, (await _link.NextAsync()).Request.Held);
        Assert.True(lasting.IsAcquired);
    }

    [Fact]
    public async Task What_is_in_use_under_a_lease_that_has_run_out_is_claimed_no_more()
    {
        _policy.Algorithm = LimitAlgorithm.Concurrency;
        var first = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 199, endsIn: 12);
        using var lasting = await first;

        _clock.Advance(TimeSpan.FromSeconds(12));
        _ = _limiter.AcquireAsync().AsTask();

        Assert.Equal(0, (await _link.NextAsync()).Request.Held);
    }

    [Fact]
    public async Task A_permit_of_a_window_that_comes_back_under_a_concurrency_limit_was_never_in_use()
    {
        var acquiring = _limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Answer(granted: 1, remaining: 199);
        var lease = (BucketLease)await acquiring;
        _followed.Current = new(Version: 1, new() { Algorithm = LimitAlgorithm.Concurrency });

        lease.GiveBack();

        _ = _limiter.AcquireAsync().AsTask();
        var request = (await _link.NextAsync()).Request;
        Assert.Equal((0, 1), (request.Held, request.Returned.Count));
    }

    [Fact]
    public async Task A_frontend_that_stops_hands_back_what_was_under_way_to_it()
    {
        _ = _limiter.AcquireAsync().AsTask();
        var call = await _link.NextAsync();
        _link.IsDraining = true;
        var handedBack = _limiter.HandBackAllAsync(CancellationToken.None);
        Assert.False(handedBack.IsCompleted);

        call.Answer(granted: 5, remaining: 195);

        Assert.Equal(4, (await _link.NextHandBackAsync()).Returned.Count);
        await handedBack.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
    }

    [Fact]
    public async Task A_partition_that_is_not_kept_has_no_share_of_its_own()
    {
        _policy.Trouble = TroubleMode.LocalShare;
        using var limiter = Create(isKept: false);
        var acquiring = limiter.AcquireAsync().AsTask();
        (await _link.NextAsync()).Fail(new LinkBrokenException());

        Assert.Equal(RefusalReason.Unavailable, ((BucketLease)await acquiring).Reason);
    }

    private BucketRateLimiter Create(bool isKept) => new(
        new("general", _followed, _link, new("general", _clock), _clock, new(), NullLogger.Instance), "someone", isKept);
}
