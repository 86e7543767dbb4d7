using System.Threading.RateLimiting;
using BenchmarkDotNet.Attributes;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits;
using Microsoft.Extensions.Logging.Abstractions;

namespace Marketplace.Bench.Micro;

/// <summary>One permit that is there to be had: the time it takes, and what it allocates.</summary>
[MemoryDiagnoser]
public class AttemptAcquireBenchmark : IDisposable
{
    private readonly FixedWindowRateLimiter _builtIn = new(new()
    {
        PermitLimit = int.MaxValue,
        Window = TimeSpan.FromDays(1),
        AutoReplenishment = false,
    });

    private readonly BucketRateLimiter _ours = new(
        new(
            "general",
            new FollowedPolicy(new(Version: 0, new LimitPolicyOptions { Limit = LimitsOptions.MaxPermitsPerRequest })),
            new GenerousBucket(),
            new("general", TimeProvider.System),
            TimeProvider.System,
            new LimitsOptions(),
            NullLogger.Instance),
        "203.0.113.7",
        isKept: true);

    /// <summary>A partition that has permits on lease.</summary>
    [GlobalSetup]
    public async Task LeaseAsync() => (await _ours.AcquireAsync()).Dispose();

    [Benchmark(Baseline = true, Description = "FixedWindowRateLimiter")]
    public bool BuiltIn()
    {
        using var lease = _builtIn.AttemptAcquire();
        return lease.IsAcquired;
    }

    [Benchmark(Description = "BucketRateLimiter")]
    public bool Ours()
    {
        using var lease = _ours.AttemptAcquire();
        return lease.IsAcquired;
    }

    /// <summary>A limiter that ran dry on the way would have been measured refusing.</summary>
    [GlobalCleanup]
    public void CheckThatNothingWasRefused()
    {
        if (_builtIn.GetStatistics() is not { TotalFailedLeases: 0 } || !_ours.AttemptAcquire().IsAcquired)
        {
            throw new InvalidOperationException("A limiter refused: the measurement is void.");
        }
    }

    public void Dispose()
    {
        _builtIn.Dispose();
        _ours.Dispose();
        GC.SuppressFinalize(this);
    }
}
