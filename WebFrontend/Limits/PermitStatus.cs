using System.Threading.RateLimiting;

namespace Marketplace.WebFrontend.Limits;

/// <summary>Where a partition stands under one policy, as of the last word from its bucket.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Limit">Permits in one window.</param>
/// <param name="Window">The window's length.</param>
/// <param name="Remaining">Permits left.</param>
/// <param name="ResetsIn">Time until the window ends.</param>
public readonly record struct PermitStatus(string Policy, int Limit, TimeSpan Window, int Remaining, TimeSpan ResetsIn);

/// <summary>Why a permit was not given.</summary>
public enum RefusalReason
{
    /// <summary>It was given.</summary>
    None,

    /// <summary>The window's permits are used up.</summary>
    Exhausted,

    /// <summary>The bucket could not be reached within the deadline, and the policy denies then.</summary>
    Unavailable,
}

/// <summary>The outcome of asking a <see cref="BucketRateLimiter"/>, with metadata beyond <see cref="MetadataName.RetryAfter"/>.</summary>
internal sealed class BucketLease(RefusalReason reason, PermitStatus status, long window = 0, int permits = 0) : RateLimitLease
{
    public static readonly MetadataName<PermitStatus> Status = new("MARKETPLACE_PERMIT_STATUS");
    public static readonly MetadataName<RefusalReason> Reason = new("MARKETPLACE_REFUSAL_REASON");

    /// <summary>How soon to try again when the bucket could not be reached: a dead silo's buckets are back by then.</summary>
    private static readonly TimeSpan TroubleRetryAfter = TimeSpan.FromSeconds(2);

    public override bool IsAcquired => reason == RefusalReason.None;

    public override IEnumerable<string> MetadataNames { get; } = [Status.Name, Reason.Name, MetadataName.RetryAfter.Name];

    /// <summary>The window that the permits belong to, and how many they are: what it takes to hand them back.</summary>
    public (long Window, int Permits) Held => (window, permits);

    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = metadataName switch
        {
            _ when metadataName == Status.Name => status,
            _ when metadataName == Reason.Name => reason,
            _ when metadataName == MetadataName.RetryAfter.Name && !IsAcquired =>
                reason == RefusalReason.Unavailable ? TroubleRetryAfter : status.ResetsIn,
            _ => null,
        };
        return metadata is not null;
    }
}
