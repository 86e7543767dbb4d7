using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>What a request gets without asking the bucket, and what it is told.</content>
internal sealed partial class BucketRateLimiter
{
    /// <summary>Where the partition stands, told with a lease of <paramref name="lot"/>.</summary>
    public PermitStatus StatusOf(Lot lot) => Status(lot.Grant, lot.Left, lot.ArrivedAt, _context.Clock.GetTimestamp());

    /// <summary>Admits from what is in hand, refuses by what is remembered, or returns null: the bucket has to be asked.</summary>
    private BucketLease? TryDecide(int permits, long now)
    {
        _lastUsedAt = now;
        var policy = _context.Current;
        if (permits == 0)
        {
            return !_holder.IsRefused(1, now, policy.Version) && _holder.Last.Limit > 0
                ? new UncountedLease(RefusalReason.None, Status(now))
                : _holder.IsRefused(1, now, policy.Version) ? Refuse(RefusalReason.Exhausted, now) : null;
        }

        return Spend(permits, now, policy.Version)
            ?? (_holder.IsRefused(permits, now, policy.Version) && QueueLimit(policy.Options) == 0
                ? Refuse(RefusalReason.Exhausted, now)
                : null);
    }

    private BucketLease? Spend(int permits, long now, int version)
    {
        if (_holder.TrySpend(permits, now, version) is not { } lot)
        {
            return null;
        }

        if (!_isKept)
        {
            _context.Meters.Retire(permits); // nobody will ask this limiter for its totals
        }

        if (IsConcurrency)
        {
            _holder.Use(permits);
            return new PermitsLease(lot, permits, _holder.UseEpoch, comeBack: true, StatusOf(lot));
        }

        return permits == 1 ? lot : new PermitsLease(lot, permits, useEpoch: 0, comeBack: false, StatusOf(lot));
    }

    /// <summary>A refusal, or under a shadow policy an admission in its place.</summary>
    private UncountedLease Refuse(RefusalReason reason, long now)
    {
        Interlocked.Increment(ref _refused);
        if (_context.Current.Options.Shadow)
        {
            _context.Meters.ShadowDeny();
            return new(RefusalReason.None, Status(now));
        }

        _context.Meters.Deny();
        return new(reason, reason == RefusalReason.Exhausted ? Refusal(now) : Status(now));
    }

    private PermitStatus Refusal(long now)
    {
        var left = _context.Clock.GetElapsedTime(now, Math.Max(now, _holder.RefusedUntil));
        return new(_context.Policy, _holder.Last.Limit, Window(_holder.Last), Math.Max(0, _holder.Last.Remaining), left);
    }

    private PermitStatus Status(long now) => Status(_holder.Last, _holder.Lot?.Left ?? 0, _holder.LastAt, now);

    /// <summary>
    /// Counted from the answer's arrival, unlike the validity of permits: what is told to clients must not be too short.
    /// </summary>
    private PermitStatus Status(in PermitGrant grant, int left, long arrivedAt, long now)
    {
        var resetsIn = grant.ResetsIn - _context.Clock.GetElapsedTime(arrivedAt, now);
        return resetsIn > TimeSpan.Zero
            ? new(_context.Policy, grant.Limit, Window(grant), grant.Remaining + left, resetsIn)
            : new(_context.Policy, grant.Limit, Window(grant), grant.Limit, TimeSpan.Zero);
    }

    private TimeSpan Window(in PermitGrant grant) => IsConcurrency ? TimeSpan.Zero : grant.Window;
}
