namespace Marketplace.WebFrontend.Limits.Leases;

/// <content>What a concurrency limit's requests have taken and will give back. Each answer of the bucket prolongs the lease on it.</content>
internal sealed partial class PermitHolder
{
    private int _inUse;
    private long _usedUntil; // the end of the lease that what is in use is under

    /// <summary>Permits that were taken and not given back, under a concurrency limit.</summary>
    public int InUse => _inUse;

    /// <summary>Names the lease under which permits are in use; those of an earlier one are no longer this frontend's to give back.</summary>
    public int UseEpoch { get; private set; }

    /// <summary>Permits were taken that will come back: a concurrency limit's.</summary>
    public void Use(int permits) => _inUse += permits;

    /// <summary>Whether what is in use needs its lease prolonged: a third of it is over.</summary>
    public bool MustRenew(long now) => _inUse > 0 && _usedUntil - now < (_usedUntil - LastAt) * 2 / 3;

    /// <summary>
    /// What is in use under a lease that has run out is claimed no more: the bucket may have given it away, and a successor that
    /// knows nothing of that would take the claim for somebody else's permits.
    /// </summary>
    private void LapseIfOver(long now)
    {
        if (_inUse > 0 && now >= _usedUntil)
        {
            _request = _request is { } request ? request with { Held = Math.Max(0, request.Held - _inUse) } : null;
            _inUse = 0;
            UseEpoch++;
        }
    }
}
