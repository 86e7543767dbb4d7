namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>An answer without permits to give back: a refusal, or an admission that no bucket has counted.</summary>
internal sealed class UncountedLease(RefusalReason reason, PermitStatus status) : BucketLease
{
    /// <summary>Nothing is known here: ask asynchronously.</summary>
    public static readonly UncountedLease Unknown = new(RefusalReason.Unknown, default);

    public override RefusalReason Reason => reason;

    public override PermitStatus Status => status;
}

/// <summary>Several permits of one request, or permits that it holds until it ends.</summary>
/// <param name="lot">The lot that they were spent from.</param>
/// <param name="permits">How many.</param>
/// <param name="useEpoch">Under a concurrency limit the lease under which they are in use; else null.</param>
/// <param name="comeBack">Whether they come back when the request ends.</param>
/// <param name="status">Where the partition stood.</param>
internal sealed class PermitsLease(Lot lot, int permits, int? useEpoch, bool comeBack, PermitStatus status) : BucketLease
{
    private int _isGivenBack;

    public override RefusalReason Reason => RefusalReason.None;

    public override PermitStatus Status => status;

    public override void GiveBack()
    {
        if (Interlocked.Exchange(ref _isGivenBack, 1) == 0)
        {
            lot.Limiter.GiveBack(lot, permits, useEpoch);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && comeBack)
        {
            GiveBack();
        }

        base.Dispose(disposing);
    }
}
