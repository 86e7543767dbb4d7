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
            return _holder.Refused(1, now, policy.Version) is { } known ? Refuse(known, now)
                : _holder.Last.Limit > 0 ? new UncountedLease(RefusalReason.None, Status(now))
                : null;
        }

        return Spend(permits, now, policy.Version)
            ?? (_holder.Refused(permits, now, policy.Version) is { } refusal && QueueLimit(policy.Options) == 0 ? Refuse(refusal, now) : null);
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

        if (lot.IsHeldInUse)
        {
            _holder.Use(permits);
            if (!_isKept && !_isRenewing)
            {
                _isRenewing = true;
                _ = RenewAsync();
            }

            return new PermitsLease(lot, permits, _holder.UseEpoch, comeBack: true, StatusOf(lot));
        }

        return permits == 1 ? lot : new PermitsLease(lot, permits, useEpoch: null, comeBack: false, StatusOf(lot));
    }

    private UncountedLease Refuse(Refusal refusal, long now) => Refuse(
        RefusalReason.Exhausted,
        new(
            _context.Policy,
            refusal.Answer.Limit,
            Window(refusal.Answer),
            Math.Max(0, refusal.Answer.Remaining),
            _clock.GetElapsedTime(now, refusal.RetryAt)));

    /// <summary>A refusal, or under a shadow policy an admission in its place.</summary>
    private UncountedLease Refuse(RefusalReason reason, in PermitStatus status)
    {
        Interlocked.Increment(ref _refused);
        if (_context.Current.Options.Shadow)
        {
            _context.Meters.ShadowDeny();
            return new(RefusalReason.None, status);
        }

        _context.Meters.Deny();
        return new(reason, status);
    }

    private PermitStatus Status(long now) => Status(_holder.Last, _holder.Lot?.Left ?? 0, _holder.LastAt, now);

    /// <summary>
    /// Counted from the answer's arrival, unlike the validity of permits: what is told to clients must not be too short.
    /// </summary>
    private PermitStatus Status(in PermitGrant grant, int left, long arrivedAt, long now)
    {
        var resetsIn = grant.ResetsIn - _context.Clock.GetElapsedTime(arrivedAt, now);
        var isOver = resetsIn <= TimeSpan.Zero;

        // At the end of a fixed window all are back; elsewhere one is, or a segment's, and how many nobody has said.
        var remaining = isOver && _context.Current.Options.Algorithm == LimitAlgorithm.FixedWindow ? grant.Limit : grant.Remaining + left;
        return new(_context.Policy, grant.Limit, Window(grant), remaining, isOver ? TimeSpan.Zero : resetsIn);
    }

    private TimeSpan Window(in PermitGrant grant) => IsConcurrency ? TimeSpan.Zero : grant.Window;
}
