using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>The way to the buckets.</summary>
internal interface IBucketLink
{
    /// <summary>This frontend process, as a holder of permits.</summary>
    Guid Holder { get; }

    /// <summary>Frontends that are alive, this one among them; at least 1.</summary>
    int LiveFrontends { get; }

    /// <summary>Where buckets ask this frontend for permits back; null where they can't.</summary>
    IPermitHolder? Callback { get; }

    /// <summary>The process is stopping: nothing is leased beyond what requests need.</summary>
    bool IsDraining { get; }

    /// <summary>Numbers requests and returns: grows for all buckets alike, so that a partition that was forgotten goes on above.</summary>
    long NextNumber();

    ValueTask<PermitGrant> ExchangeAsync(string bucket, PermitRequest request);

    ValueTask<bool> HandBackAsync(string bucket, PermitHandBack handBack);
}
