using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Marketplace.Limits;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

/// <summary>This frontend's table of partitions, bounded by <see cref="LimitsOptions.MaxPartitions"/>.</summary>
internal sealed class BucketLimiters(
    IGrainFactory grains, IOptions<LimitsOptions> options, TimeProvider clock, ILogger<BucketLimiters> logger) : IDisposable
{
    private readonly ConcurrentDictionary<BucketKey, BucketRateLimiter> _partitions = new();
    private int _count;

    /// <summary>The limiter of one partition.</summary>
    public BucketRateLimiter Of(BucketKey key)
    {
        if (_partitions.TryGetValue(key, out var limiter))
        {
            return limiter;
        }

        limiter = new BucketRateLimiter(
            key.Policy, grains.GetGrain<IBucketGrain>(key.ToString()), options.Value.Deadline, clock, logger);
        if (Interlocked.Increment(ref _count) > options.Value.MaxPartitions)
        {
            // The table is full: this caller asks its bucket like any other, and only forgets what it heard.
            Interlocked.Decrement(ref _count);
            return limiter;
        }

        var kept = _partitions.GetOrAdd(key, limiter);
        if (kept != limiter)
        {
            Interlocked.Decrement(ref _count);
        }

        return kept;
    }

    /// <summary>The numbers of one partition, or null if this frontend doesn't know it.</summary>
    public RateLimiterStatistics? StatisticsOf(BucketKey key) =>
        _partitions.TryGetValue(key, out var limiter) ? limiter.GetStatistics() : null;

    /// <summary>Forgets partitions that have had nothing to do for <paramref name="idleFor"/>.</summary>
    public void RemoveIdle(TimeSpan idleFor)
    {
        foreach (var (key, limiter) in _partitions)
        {
            // One that is used again between the two lines has its permits from the bucket all the same: nothing is lost but
            // the memory of a denial.
            if (limiter.IdleDuration > idleFor && _partitions.TryRemove(new(key, limiter)))
            {
                Interlocked.Decrement(ref _count);
                limiter.Dispose();
            }
        }
    }

    public void Dispose()
    {
        foreach (var limiter in _partitions.Values)
        {
            limiter.Dispose();
        }
    }
}
