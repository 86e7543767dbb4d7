using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>What happens while the bucket can't be reached, and while requests may wait for permits.</content>
internal sealed partial class BucketRateLimiter
{
    private (long EndsAt, int Used) _share;

    /// <summary>Once this is so no request waits for the deadline again, until an exchange in the background has succeeded.</summary>
    private void EnterTrouble()
    {
        if (!_inTrouble)
        {
            _inTrouble = true;
            if (_isKept)
            {
                _context.Meters.EnterTrouble(); // nobody would see another one leave it
            }
        }
    }

    private void LeaveTrouble()
    {
        if (_inTrouble)
        {
            _inTrouble = false;
            if (_isKept)
            {
                _context.Meters.LeaveTrouble();
            }
        }
    }

    private UncountedLease InTrouble(int permits, long now)
    {
        var policy = _context.Current.Options;
        switch (policy.Trouble)
        {
            case TroubleMode.Allow:
            case TroubleMode.LocalShare when TryTakeShare(policy, permits, now):
                _context.Meters.AdmitUncounted();
                return new(RefusalReason.None, Status(now));
            default:
                return Refuse(RefusalReason.Unavailable, Status(now));
        }
    }

    /// <summary>All frontends together admit at most the limit in a window of their own, beside what the bucket granted.</summary>
    private bool TryTakeShare(LimitPolicyOptions policy, int permits, long now)
    {
        if (!_isKept)
        {
            return false; // its count would be forgotten with it, at every request
        }

        if (now >= _share.EndsAt)
        {
            _share = (now + (long)(policy.Window.TotalSeconds * _context.Clock.TimestampFrequency), 0);
        }

        var share = policy.Limit / Math.Max(1, _context.Link.LiveFrontends);
        if (_share.Used + (long)permits > share)
        {
            return false;
        }

        _share.Used += permits;
        return true;
    }

    /// <summary>There is room in the queue, and the refusal ends before the request would have waited for too long.</summary>
    private bool MayQueue(Waiter waiter, Refusal refusal)
    {
        var policy = _context.Current.Options;
        return waiter.Permits <= policy.Limit
            && _waiters.Sum(other => (long)other.Permits) <= QueueLimit(policy)
            && _context.Clock.GetElapsedTime(waiter.Since, refusal.Until) <= _context.QueueTime;
    }

    /// <summary>A refused request that may wait is asked for again when the refusal ends.</summary>
    private bool WaitForRefusalToEnd(Waiter waiter, long now, VersionedPolicy policy)
    {
        if (_holder.Refused(waiter.Permits, now, policy.Version) is not { } refusal)
        {
            return false;
        }

        _ = WakeAsync(_context.Clock.GetElapsedTime(now, refusal.Until));
        return true;
    }

    private async Task WakeAsync(TimeSpan wait)
    {
        await Task.Delay(wait, _context.Clock).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        lock (_gate)
        {
            StartExchange();
        }
    }
}
