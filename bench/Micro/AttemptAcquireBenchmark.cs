using System.Threading.RateLimiting;
using BenchmarkDotNet.Attributes;

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

    [Benchmark(Baseline = true, Description = "FixedWindowRateLimiter")]
    public bool BuiltIn()
    {
        using var lease = _builtIn.AttemptAcquire();
        return lease.IsAcquired;
    }

    /// <summary>A limiter that ran dry on the way would have been measured refusing.</summary>
    [GlobalCleanup]
    public void CheckThatNothingWasRefused()
    {
        if (_builtIn.GetStatistics() is not { TotalFailedLeases: 0 })
        {
            throw new InvalidOperationException("The built-in limiter refused: the measurement is void.");
        }
    }

    public void Dispose()
    {
        _builtIn.Dispose();
        GC.SuppressFinalize(this);
    }
}
