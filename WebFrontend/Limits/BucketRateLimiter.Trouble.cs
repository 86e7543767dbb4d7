using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>What happens while the bucket can't be reached, and while requests may wait for permits.</content>
internal sealed partial class BucketRateLimiter
{
    private const long NoEnd = long.MaxValue;

    private (long EndsAt, int Used) _share;
    private long _wakesAt; // so that a flood starts one timer

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

    private BucketLease InTrouble(int permits, long now)
    {
        var policy = _context.Current.Options;
        BucketLease? admitted = policy.Trouble switch
        {
            TroubleMode.Allow => new UncountedLease(RefusalReason.None, Status(now)),
            TroubleMode.LocalShare when TryTakeShare(policy, permits, now) =>
                new ShareLease(this, permits, _share.EndsAt, comeBack: policy.Algorithm == LimitAlgorithm.Concurrency, Status(now)),
            _ => null,
        };
        if (admitted is null)
        {
            return Refuse(RefusalReason.Unavailable, Status(now));
        }

        _context.Meters.AdmitUncounted();
        return admitted;
    }

    /// <summary>All frontends together admit at most the limit in a window of their own, beside what the bucket granted.</summary>
    private bool TryTakeShare(LimitPolicyOptions policy, int permits, long now)
    {
        if (!_isKept)
        {
            return false; // its count would be forgotten with it, at every request
        }

        if (policy.Algorithm == LimitAlgorithm.Concurrency)
        {
            _share = _share.EndsAt == NoEnd ? _share : (NoEnd, 0); // they come back one by one
        }
        else if (now >= _share.EndsAt || _share.EndsAt == NoEnd)
        {
            _share = (now + (long)(ShareLasts(policy).TotalSeconds * _context.Clock.TimestampFrequency), 0);
        }

        var share = policy.Limit / Math.Max(1, _context.Link.LiveFrontends);
        if (_share.Used + (long)permits > share)
        {
            return false;
        }

        _share.Used += permits;
        return true;
    }

    /// <summary>Whether some of a share is used: who is forgotten now would have all of it again.</summary>
    private bool HasUsedShare(long now) => _share.Used > 0 && now < _share.EndsAt;

    /// <summary>A token bucket's as long as all of its tokens take to come back.</summary>
    private static TimeSpan ShareLasts(LimitPolicyOptions policy) =>
        policy is { Algorithm: LimitAlgorithm.TokenBucket, Refill: > 0 } ? policy.Window * ((double)policy.Limit / policy.Refill) : policy.Window;

    /// <summary>Takes back what was admitted of a share and not used, or has ended.</summary>
    private void GiveBackShare(int permits, long endsAt)
    {
        lock (_gate)
        {
            _share.Used -= _share.EndsAt == endsAt ? permits : 0;
        }
    }

    /// <summary>Permits of the local share.</summary>
    private sealed class ShareLease(BucketRateLimiter limiter, int permits, long endsAt, bool comeBack, PermitStatus status) : BucketLease
    {
        private int _isGivenBack;

        public override RefusalReason Reason => RefusalReason.None;

        public override PermitStatus Status => status;

        public override void GiveBack()
        {
            if (Interlocked.Exchange(ref _isGivenBack, 1) == 0)
            {
                limiter.GiveBackShare(permits, endsAt);
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

    /// <summary>It fits into the queue at all, and the refusal ends before the request would have waited for too long.</summary>
    private bool MayQueue(Waiter waiter, Refusal refusal)
    {
        var policy = _context.Current.Options;
        return waiter.Permits <= Math.Min(policy.Limit, QueueLimit(policy))
            && _context.Clock.GetElapsedTime(waiter.Since, refusal.Until) <= _context.QueueTime;
    }

    /// <summary>Who comes first waits; who came last, and finds the queue full, is refused.</summary>
    private void RefuseBeyondQueue(Refusal refusal, long now)
    {
        var room = QueueLimit(_context.Current.Options);
        for (var waiting = _waiters.Sum(waiter => (long)waiter.Permits); waiting > room && _waiters is { Count: > 1, Last.Value: var last };)
        {
            waiting -= last.Permits;
            Answer(last, Refuse(refusal, now));
        }
    }

    /// <summary>A refused request that may wait is asked for again when the refusal ends.</summary>
    private bool WaitForRefusalToEnd(Waiter waiter, long now, VersionedPolicy policy)
    {
        if (_holder.Refused(waiter.Permits, now, policy.Version) is not { } refusal)
        {
            return false;
        }

        if (now >= _wakesAt || refusal.Until < _wakesAt)
        {
            _wakesAt = refusal.Until;
            _ = WakeAsync(_wakesAt, _context.Clock.GetElapsedTime(now, refusal.Until));
        }

        return true;
    }

    private async Task WakeAsync(long wakesAt, TimeSpan wait)
    {
        var wholeMilliseconds = TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)); // a delay drops the rest
        await Task.Delay(wholeMilliseconds, _context.Clock).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        lock (_gate)
        {
            if (_wakesAt == wakesAt)
            {
                _wakesAt = 0; // timers may fire early: if the refusal still stands there has to be another
            }

            StartExchange();
        }
    }
}
