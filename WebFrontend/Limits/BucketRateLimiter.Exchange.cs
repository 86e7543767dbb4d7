using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>The conversation with the bucket.</content>
internal sealed partial class BucketRateLimiter
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);

    private Task _exchangeDone = Task.CompletedTask;
    private Task _handBackDone = Task.CompletedTask;
    private bool _handBackAll;
    private bool _refills;
    private bool _renews;

    /// <summary>The next lease, before this one is used up.</summary>
    private void Refill()
    {
        lock (_gate)
        {
            StartExchange(refills: true);
        }
    }

    /// <summary>Call under the gate.</summary>
    private void StartExchange(bool refills = false, bool renews = false)
    {
        _refills |= refills;
        _renews |= renews;
        if (!_exchanging)
        {
            _exchanging = true;
            _exchangeDone = ExchangeAsync();
        }
    }

    private async Task ExchangeAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // never under the caller's gate
        while (NextRequest() is { } request)
        {
            var answer = await TryExchangeAsync(request);
            var isShort = answer is { Grant.RetryIn.Ticks: > 0 };
            lock (_gate)
            {
                if (answer is not { } answered)
                {
                    EnterTrouble();
                    EndWaiters(_context.Clock.GetTimestamp());
                    _exchanging = false;
                    return;
                }

                LeaveTrouble();
                _context.Meters.Lease(answered.Grant.Granted);
                TakeOver(answered.Grant, answered.SentAt, isShort);
            }

            if (isShort && answer.Value.Grant.PolicyVersion != _context.Current.Version)
            {
                // The bucket or this frontend has yet to hear of a change, and until then the refusal counts for nobody who waits.
                await Task.Delay(RetryInterval, _context.Clock);
            }
        }
    }

    /// <summary>The request to send next, or null when there is nothing to ask.</summary>
    private PermitRequest? NextRequest()
    {
        lock (_gate)
        {
            var now = _context.Clock.GetTimestamp();
            var policy = _context.Current;
            ServeWaiters(now, policy.Version);
            if (_waiters.First is { Value: var first } && WaitForRefusalToEnd(first, now, policy))
            {
                _exchanging = false;
                return null;
            }

            if (_waiters.Count == 0 && !_refills && !_renews && _holder.Unanswered is null)
            {
                _exchanging = false;
                return null;
            }

            var wantsSpare = (_waiters.Count > 0 || _refills) && _isKept && !_context.Link.IsDraining;
            _refills = _renews = false;
            _holder.RetireIfOver(now, policy.Version);
            Volatile.Write(ref _lot, _holder.Lot);
            var wanted = (int)Math.Min(LimitsOptions.MaxPermitsPerRequest, _waiters.Sum(waiter => (long)waiter.Permits));
            var least = _waiters.Count > 0 ? _waiters.Min(waiter => waiter.Permits) : 1;
            return _holder.Request(wanted, wantsSpare, now, policy.Version, _isKept ? _context.Link.Callback : null, least);
        }
    }

    private async Task<(PermitGrant Grant, long SentAt)?> TryExchangeAsync(PermitRequest request)
    {
        var clock = _context.Clock;
        var startedAt = clock.GetTimestamp();
        while (true)
        {
            var sentAt = clock.GetTimestamp();
            var left = _context.Deadline - clock.GetElapsedTime(startedAt, sentAt);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            try
            {
                _context.Meters.Call();
                return (await _context.Link.ExchangeAsync(_bucket, request).AsTask().WaitAsync(left, clock), sentAt);
            }
            catch (LinkBrokenException)
            {
                return null; // no bucket can be reached: waiting is of no use
            }
#pragma warning disable CA1031 // whatever went wrong, the request is repeated until the deadline
            catch (Exception error)
#pragma warning restore CA1031
            {
                if (clock.GetElapsedTime(startedAt) + RetryInterval >= _context.Deadline)
                {
                    LogUnreachable(_context.Logger, _context.Policy, error.GetType().Name, error.Message);
                    return null;
                }

                await Task.Delay(RetryInterval, clock);
            }
        }
    }

    private void TakeOver(in PermitGrant grant, long sentAt, bool isShort)
    {
        var now = _context.Clock.GetTimestamp();
        _context.Meters.HandBack(_holder.Answered(grant, sentAt, now));
        Volatile.Write(ref _lot, _holder.Lot);

        // By the bucket's version, whether or not this frontend has heard of it: the answer is the bucket's.
        ServeWaiters(now, grant.PolicyVersion, isLastWord: !isShort);
        if (isShort)
        {
            _context.Refused(now + (long)(grant.RetryIn.TotalSeconds * _clock.TimestampFrequency));
            foreach (var waiter in _waiters)
            {
                _holder.Refuse(waiter.Permits); // the bucket gave all it has: nobody that is left can be served
            }

            ServeWaiters(now, grant.PolicyVersion);
        }

        _holder.Told();
        WatchTokens();
        StartHandingBack(all: _context.Link.IsDraining || !_isKept); // or if the bucket has asked
    }

    /// <summary>Answers those who wait, first come first served, as far as what is in hand and what is refused tells.</summary>
    /// <param name="now">The time.</param>
    /// <param name="version">The policy's version that counts.</param>
    /// <param name="isLastWord">Whether who gets nothing now and has waited past the deadline waits in vain.</param>
    private void ServeWaiters(long now, int version, bool isLastWord = true)
    {
        while (_waiters.First is { Value: var waiter })
        {
            var refusal = _holder.Refused(waiter.Permits, now, version);
            var lease = Spend(waiter.Permits, now, version)
                ?? (refusal is not null && !MayQueue(waiter, refusal) ? Refuse(refusal, now) : null);
            if (lease is null)
            {
                waiter.IsQueued |= refusal is not null;
                if (refusal is not null)
                {
                    RefuseBeyondQueue(refusal, now);
                }

                if (waiter.IsQueued || !isLastWord || _context.Clock.GetElapsedTime(waiter.Since, now) < _context.Deadline)
                {
                    return;
                }

                lease = Refuse(RefusalReason.Unavailable, Status(now)); // leases that are over when they arrive, again and again
            }

            Answer(waiter, lease);
        }
    }

    private void Answer(Waiter waiter, BucketLease lease)
    {
        _waiters.Remove(waiter.Node);
        waiter.Cancellation.Unregister(); // doesn't wait for a callback that is waiting for the gate
        if (!waiter.TrySetResult(lease))
        {
            lease.GiveBack();
        }
    }

    /// <summary>Those who wait get what the trouble mode gives them.</summary>
    private void EndWaiters(long now)
    {
        while (_waiters.First is { Value: var waiter })
        {
            Answer(waiter, InTrouble(waiter.Permits, now));
        }
    }

    /// <summary>Call under the gate.</summary>
    private void StartHandingBack(bool all)
    {
        _handBackAll |= all;
        if (!_handingBack)
        {
            _handingBack = true;
            _handBackDone = HandBackAsync();
        }
    }

    private async Task HandBackAsync()
    {
        if (NextHandBack() is not { } first)
        {
            return; // nothing to do is the usual case, and costs no thread
        }

        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        for (PermitHandBack? next = first; next is { } handBack; next = NextHandBack())
        {
            var taken = await TryHandBackAsync(handBack);
            lock (_gate)
            {
                _context.Meters.HandBack(_holder.HandedBack(handBack, taken));
                if (!taken)
                {
                    _handingBack = _handBackAll = false; // goes with the next request, or when this partition is looked after
                    return;
                }
            }
        }
    }

    private PermitHandBack? NextHandBack()
    {
        lock (_gate)
        {
            var next = _holder.HandBack(_handBackAll, _context.Clock.GetTimestamp(), _context.Current.Version);
            Volatile.Write(ref _lot, _holder.Lot);
            if (next is null)
            {
                _handingBack = _handBackAll = false;
            }

            return next;
        }
    }

    private async Task<bool> TryHandBackAsync(PermitHandBack handBack)
    {
        try
        {
            _context.Meters.Call();
            return await _context.Link.HandBackAsync(_bucket, handBack).AsTask().WaitAsync(_context.Deadline, _context.Clock);
        }
#pragma warning disable CA1031 // whatever went wrong, the return is repeated later
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    [LoggerMessage(LogLevel.Debug, "The bucket of a partition of {Policy} could not be reached: {Error}: {Reason}")]
    private static partial void LogUnreachable(ILogger logger, string policy, string error, string reason);
}
