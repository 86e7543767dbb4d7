namespace Marketplace.Grains.Frontends;

/// <summary>The stored state, as readable JSON; <c>sql/0004_connections.sql</c> reads it too.</summary>
public sealed class FrontendLeasesState
{
    /// <summary>The activation that wrote it. Starting means writing one's own name here, which is what fences the others.</summary>
    public Guid Owner { get; set; }

    public long NextEpoch { get; set; } = 1;

    public IList<StoredLease> Leases { get; set; } = [];
}

/// <summary>A lease that was not known to have ended.</summary>
public sealed class StoredLease
{
    public long Epoch { get; set; }

    public string Name { get; set; } = "";
}
