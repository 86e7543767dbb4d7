using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>What all partitions of one policy on this frontend share.</summary>
internal sealed class PartitionContext(
    string policy, FollowedPolicy followed, IBucketLink link, PolicyMeters meters, TimeProvider clock, LimitsOptions options, ILogger logger)
{
    public string Policy => policy;

    public FollowedPolicy Followed => followed;

    /// <summary>The policy as it is now.</summary>
    public VersionedPolicy Current => followed.Current;

    public IBucketLink Link => link;

    public PolicyMeters Meters => meters;

    public TimeProvider Clock => clock;

    /// <summary>How long a request waits for its bucket.</summary>
    public TimeSpan Deadline => options.Deadline;

    /// <summary>How long a request that may queue waits for permits.</summary>
    public TimeSpan QueueTime => options.QueueTime;

    public ILogger Logger => logger;
}
