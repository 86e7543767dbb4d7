namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>Permits to be taken for a request.</summary>
/// <param name="Limiter">From this partition.</param>
/// <param name="Permits">So many.</param>
/// <param name="IsShadow">Nobody is told of it.</param>
/// <param name="CountsWhen">Whether they stay taken, by the outcome; null if always.</param>
internal readonly record struct Asked(BucketRateLimiter Limiter, int Permits, bool IsShadow, Func<HttpContext, bool>? CountsWhen)
{
    /// <summary>Takes all or none.</summary>
    /// <param name="asked">In the order in which they are taken.</param>
    /// <param name="taken">As long as <paramref name="asked"/>; holds the leases afterwards, if there was no refusal.</param>
    /// <param name="cancellationToken">Gives everything back.</param>
    /// <returns>The refusal, or null.</returns>
    public static async ValueTask<BucketLease?> TakeAllAsync(Asked[] asked, BucketLease?[] taken, CancellationToken cancellationToken)
    {
        // What is known to be refused is refused before anything is taken: it costs no call and nobody a permit.
        for (var i = 0; asked.Length > 1 && i < asked.Length; i++)
        {
            taken[i] = asked[i].Limiter.KnownRefusal(asked[i].Permits);
            if (taken[i] is { IsAcquired: false } refusal)
            {
                return refusal;
            }
        }

        var done = 0;
        try
        {
            for (; done < asked.Length; done++)
            {
                taken[done] ??= (BucketLease)await asked[done].Limiter.AcquireAsync(asked[done].Permits, cancellationToken);
                if (!taken[done]!.IsAcquired)
                {
                    break;
                }
            }
        }
        catch
        {
            GiveBack(taken.AsSpan(0, done));
            throw;
        }

        if (done == asked.Length)
        {
            return null;
        }

        GiveBack(taken.AsSpan(0, done));
        return taken[done];
    }

    public static void GiveBack(ReadOnlySpan<BucketLease?> taken)
    {
        foreach (var lease in taken)
        {
            lease?.GiveBack();
        }
    }
}

/// <summary>The permits that one request took under several policies.</summary>
internal sealed class JointLease(BucketLease[] leases) : BucketLease
{
    public override RefusalReason Reason => RefusalReason.None;

    public override PermitStatus Status => leases[0].Status;

    public static BucketLease Of(BucketLease[] leases) => leases.Length == 1 ? leases[0] : new JointLease(leases);

    public override void GiveBack() => Asked.GiveBack(leases);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var lease in leases)
            {
                lease.Dispose();
            }
        }

        base.Dispose(disposing);
    }
}
