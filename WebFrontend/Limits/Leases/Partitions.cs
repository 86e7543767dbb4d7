using System.Collections.Concurrent;
using Marketplace.Limits;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>
/// This frontend's partitions of all policies, bounded by <see cref="LimitsOptions.MaxPartitions"/>. When the table is full a new
/// partition is served all the same: it asks its bucket for every request and nothing is remembered of it.
/// </summary>
internal sealed class Partitions(
    IBucketLink link,
    ILimitPolicies policies,
    IOptions<LimitsOptions> options,
    TimeProvider clock,
    ILogger<Partitions> logger)
{
    private readonly ConcurrentDictionary<string, PartitionTable> _tables = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>Partitions kept.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Whether room is getting scarce.</summary>
    public bool IsHalfFull => Count > options.Value.MaxPartitions / 2;

    /// <summary>One table for each policy that has been used.</summary>
    public IEnumerable<PartitionTable> Tables => _tables.Values;

    /// <summary>A policy's partitions.</summary>
    /// <exception cref="InvalidOperationException">There is no policy of that name.</exception>
    public PartitionTable Of(string policy) => _tables.TryGetValue(policy, out var table)
        ? table
        : _tables.GetOrAdd(policy, Create);

    /// <summary>A partition that is kept, or null.</summary>
    public BucketRateLimiter? Find(BucketKey key) =>
        _tables.TryGetValue(key.Policy, out var table) ? table.Find(key.Partition) : null;

    /// <summary>Tells a bucket that this frontend has nothing of it: the partition has been let go.</summary>
    public void AnswerForNobody(string bucket, long round, long answered) =>
        link.HandBackAsync(bucket, new(link.Holder, default, Held: 0, round, answered)).AsTask()
            .ContinueWith(static task => _ = task.Exception, TaskScheduler.Default);

    internal bool TryReserve()
    {
        if (Interlocked.Increment(ref _count) <= options.Value.MaxPartitions)
        {
            return true;
        }

        Release();
        return false;
    }

    internal void Release() => Interlocked.Decrement(ref _count);

    private PartitionTable Create(string policy)
    {
        var followed = policies.Follow(policy)
            ?? throw new InvalidOperationException($"There is no policy '{policy}' in Limits:Policies.");
        return new(this, new(policy, followed, link, new(policy, clock), clock, options.Value, logger));
    }
}
