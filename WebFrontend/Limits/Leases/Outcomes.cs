namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>An answer without permits to give back: a refusal, or an admission that no bucket has counted.</summary>
internal sealed class UncountedLease(RefusalReason reason, PermitStatus status) : BucketLease
{
    /// <summary>Nothing is known here: ask asynchronously.</summary>
    public static readonly UncountedLease Unknown = new(RefusalReason.Unknown, default);

    public override RefusalReason Reason => reason;

    public override PermitStatus Status => status;
}

/// <summary>Several permits of one request, or one that was bought otherwise than from a <see cref="Lot"/> alone.</summary>
internal sealed class PermitsLease(BucketRateLimiter limiter, long lot, int permits, PermitStatus status) : BucketLease
{
    private int _isGivenBack;

    public override RefusalReason Reason => RefusalReason.None;

    public override PermitStatus Status => status;

    public override void GiveBack()
    {
        if (Interlocked.Exchange(ref _isGivenBack, 1) == 0)
        {
            limiter.GiveBack(lot, permits);
        }
    }

    /// <summary>Under a concurrency limit the permits are free again when the request ends.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing && limiter.IsConcurrency)
        {
            GiveBack();
        }

        base.Dispose(disposing);
    }
}
