using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>What all partitions of one policy on this frontend share.</summary>
internal sealed class PartitionContext(
    string policy, FollowedPolicy followed, IBucketLink link, PolicyMeters meters, TimeProvider clock, LimitsOptions options, ILogger logger)
{
    private long _refusesUntil;

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

    /// <summary>Whether some partition may remember a refusal: while none does, nobody has to look for one.</summary>
    public bool MayRefuse => Volatile.Read(ref _refusesUntil) is var until and > 0 && clock.GetTimestamp() < until;

    /// <summary>A partition remembers a refusal.</summary>
    /// <param name="until">Timestamp of its end, or later.</param>
    public void Refused(long until)
    {
        var latest = Volatile.Read(ref _refusesUntil);
        while (until > latest)
        {
            var seen = Interlocked.CompareExchange(ref _refusesUntil, until, latest);
            if (seen == latest)
            {
                return;
            }

            latest = seen;
        }
    }
}
