using System.Threading.RateLimiting;

namespace Marketplace.WebFrontend.Limits;

/// <summary>Where a partition stands under one policy, as of the last word from its bucket.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Limit">Permits in one window.</param>
/// <param name="Window">The window's length; zero under a concurrency limit, which has none.</param>
/// <param name="Remaining">Permits left.</param>
/// <param name="ResetsIn">Time until more come back, or until a refused request may be tried again.</param>
public readonly record struct PermitStatus(string Policy, int Limit, TimeSpan Window, int Remaining, TimeSpan ResetsIn);

/// <summary>Why a permit was not given.</summary>
public enum RefusalReason
{
    /// <summary>It was given.</summary>
    None,

    /// <summary>The permits are used up.</summary>
    Exhausted,

    /// <summary>The bucket could not be reached within the deadline, and the policy denies then.</summary>
    Unavailable,

    /// <summary>Nothing is known here: ask asynchronously.</summary>
    Unknown,
}

/// <summary>The outcome of asking a limiter, with metadata beyond <see cref="MetadataName.RetryAfter"/>.</summary>
internal abstract class BucketLease : RateLimitLease
{
    public static readonly MetadataName<PermitStatus> StatusName = new("MARKETPLACE_PERMIT_STATUS");
    public static readonly MetadataName<RefusalReason> ReasonName = new("MARKETPLACE_REFUSAL_REASON");

    /// <summary>How soon to try again when the bucket could not be reached: a dead silo's buckets are back by then.</summary>
    private static readonly TimeSpan TroubleRetryAfter = TimeSpan.FromSeconds(2);

    private static readonly string[] Names = [StatusName.Name, ReasonName.Name, MetadataName.RetryAfter.Name];

    public override bool IsAcquired => Reason == RefusalReason.None;

    public override IEnumerable<string> MetadataNames => Names;

    public abstract RefusalReason Reason { get; }

    public abstract PermitStatus Status { get; }

    /// <summary>Takes the permits back that the request didn't use after all; nothing when it has none.</summary>
    public virtual void GiveBack()
    {
    }

    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = metadataName switch
        {
            _ when metadataName == StatusName.Name => Status,
            _ when metadataName == ReasonName.Name => Reason,
            _ when metadataName == MetadataName.RetryAfter.Name => Reason switch
            {
                RefusalReason.Exhausted => Status.ResetsIn,
                RefusalReason.Unavailable => TroubleRetryAfter,
                _ => null,
            },
            _ => null,
        };
        return metadata is not null;
    }
}
