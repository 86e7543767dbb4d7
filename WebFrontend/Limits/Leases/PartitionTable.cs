using System.Collections.Concurrent;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>One policy's partitions on this frontend.</summary>
internal sealed class PartitionTable
{
    private readonly ConcurrentDictionary<string, BucketRateLimiter> _partitions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, BucketRateLimiter>.AlternateLookup<ReadOnlySpan<char>> _byText;
    private readonly Partitions _all;

    public PartitionTable(Partitions all, PartitionContext context)
    {
        (_all, Context) = (all, context);
        _byText = _partitions.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public PartitionContext Context { get; }

    /// <summary>Partitions kept.</summary>
    public IEnumerable<BucketRateLimiter> Kept => _partitions.Select(partition => partition.Value);

    /// <summary>How many are kept; looks at all of the table.</summary>
    public int Count => _partitions.Count;

    /// <summary>The limiter of a partition; allocates nothing if there is one.</summary>
    public BucketRateLimiter Of(ReadOnlySpan<char> partition) =>
        _byText.TryGetValue(partition, out var limiter) ? limiter : Add(partition.ToString());

    /// <summary>The limiter of a partition that is kept, or null.</summary>
    public BucketRateLimiter? Find(ReadOnlySpan<char> partition) =>
        _byText.TryGetValue(partition, out var limiter) ? limiter : null;

    /// <summary>Looks after all: hands back what is idle, renews what is in use, and lets go of what has nothing to do.</summary>
    public void Sweep(TimeSpan handBackAfter, TimeSpan letGoAfter)
    {
        foreach (var (partition, limiter) in _partitions)
        {
            limiter.Maintain(handBackAfter);
            if (limiter.TryRetire(letGoAfter) && _partitions.TryRemove(new(partition, limiter)))
            {
                _all.Release();
            }
        }
    }

    private BucketRateLimiter Add(string partition)
    {
        if (!_all.TryReserve())
        {
            return new(Context, partition, isKept: false);
        }

        var limiter = new BucketRateLimiter(Context, partition, isKept: true);
        var kept = _partitions.GetOrAdd(partition, limiter);
        if (kept != limiter)
        {
            _all.Release();
        }

        return kept;
    }
}
