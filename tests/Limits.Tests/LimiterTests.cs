using Marketplace.Limits;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Limits.Tests;

/// <summary>One partition on one frontend, on a clock that the test moves, with a bucket that answers as the test says.</summary>
public abstract class LimiterTests : IDisposable
{
    protected LimiterTests()
    {
        Followed = new(new(Version: 0, Policy));
        Limiter = Create(isKept: true);
    }

    private protected static LimitsOptions Options { get; } = new();

    private protected CountingClock Clock { get; } = new();

    private protected ScriptedLink Link { get; } = new();

    private protected LimitPolicyOptions Policy { get; } = new();

    private protected FollowedPolicy Followed { get; }

    private protected BucketRateLimiter Limiter { get; }

    public void Dispose()
    {
        Limiter.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected BucketRateLimiter Create(bool isKept, PolicyMeters? meters = null) => new(
        new("general", Followed, Link, meters ?? new("general", Clock), Clock, Options, NullLogger.Instance), "someone", isKept);

    private protected async Task AdmitAsync(int granted, int remaining, Action<BucketLease>? then = null, double endsIn = 60, long lot = 1)
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted, remaining, endsIn, lot);
        var lease = (BucketLease)await acquiring;
        Assert.True(lease.IsAcquired);
        then?.Invoke(lease);
    }

    private protected async Task RefuseAsync()
    {
        var acquiring = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Refuse(retryIn: 60);
        Assert.False((await acquiring).IsAcquired);
    }

    private protected static async Task UntilAsync(Func<bool> condition)
    {
        for (var attempts = 0; !condition(); attempts++)
        {
            Assert.True(attempts < 5_000, "what was waited for did not happen");
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }

    /// <summary>The exchange runs on the pool: time has to pass until it has noticed.</summary>
    private protected async Task AdvanceUntilAsync(Task done, TimeSpan? step = null)
    {
        for (var steps = 0; !done.IsCompleted; steps++)
        {
            Assert.True(steps < 10_000, "what was waited for did not happen");
            Clock.Advance(step ?? TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
        }
    }
}

/// <summary>A clock that knows how many timers were started on it, and whose timers may fire early, as the runtime's do.</summary>
internal sealed class CountingClock : FakeTimeProvider
{
    private int _timers;

    public int Timers => Volatile.Read(ref _timers);

    public TimeSpan FiresEarlyBy { get; set; }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Interlocked.Increment(ref _timers);
        return base.CreateTimer(callback, state, dueTime > FiresEarlyBy ? dueTime - FiresEarlyBy : dueTime, period);
    }
}
