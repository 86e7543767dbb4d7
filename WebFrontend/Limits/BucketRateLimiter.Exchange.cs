using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits;

/// <content>The exchange with the bucket.</content>
internal sealed partial class BucketRateLimiter
{
    /// <summary>Call under the gate.</summary>
    private void StartExchange()
    {
        if (!_exchanging)
        {
            _exchanging = true;
            _ = ExchangeAsync();
        }
    }

    private async Task ExchangeAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // never under the caller's gate
        while (NextRequest() is { } request)
        {
            var startedAt = _clock.GetTimestamp();
            if (await TryExchangeAsync(request, startedAt) is not { } answer)
            {
                lock (_gate)
                {
                    FailWaiters();
                    _held = 0; // in doubt: a return may have been taken
                    _exchanging = false;
                }

                return;
            }

            lock (_gate)
            {
                _unanswered = null;
                Apply(answer.Grant, answer.SentAt, request.Wanted);
            }
        }
    }

    /// <summary>The request to send next, or null when there is nothing to ask and nothing to hand back.</summary>
    private PermitRequest? NextRequest()
    {
        lock (_gate)
        {
            ServeWaiters(_clock.GetTimestamp());
            if (_unanswered is null)
            {
                var wanted = (int)Math.Min(int.MaxValue, _waiters.Sum(waiter => (long)waiter.Permits));
                if (wanted == 0 && _held == 0)
                {
                    _exchanging = false;
                    return null;
                }

                // What is held beyond the waiters' need was left by a request that gave up or was refused by another policy.
                var (returned, window) = wanted == 0 ? (_held, _heldWindow) : (0, 0);
                _held -= returned;
                _unanswered = new(_holder, ++_sequence, Math.Max(0, wanted - _held), returned, window);
            }
            else if (_waiters.Count == 0)
            {
                _exchanging = false; // the answer to the lost call is asked for with the next request
                return null;
            }

            return _unanswered;
        }
    }

    private async Task<(PermitGrant Grant, long SentAt)?> TryExchangeAsync(PermitRequest request, long startedAt)
    {
        while (true)
        {
            var sentAt = _clock.GetTimestamp();
            var left = _deadline - _clock.GetElapsedTime(startedAt, sentAt);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            try
            {
                return (await _bucket.Exchange(request).AsTask().WaitAsync(left, _clock), sentAt);
            }
#pragma warning disable CA1031 // whatever went wrong, the request is repeated until the deadline and then refused
            catch (Exception error)
#pragma warning restore CA1031
            {
                if (_clock.GetElapsedTime(startedAt) + RetryInterval >= _deadline)
                {
                    LogUnreachable(_policy, error.GetType().Name, error.Message);
                    return null;
                }

                await Task.Delay(RetryInterval, _clock);
            }
        }
    }

    private void Apply(in PermitGrant grant, long sentAt, int wanted)
    {
        var now = _clock.GetTimestamp();
        _held = grant.Window == _heldWindow ? _held + grant.Granted : grant.Granted;
        _heldWindow = grant.Window;
        _validUntil = sentAt + (long)(grant.ResetsIn.TotalSeconds * _clock.TimestampFrequency);
        _denied = wanted > grant.Granted && grant.Remaining == 0;
        _last = grant;
        _lastAnsweredAt = now;
        ServeWaiters(now);
    }

    /// <summary>Answers those who wait, first come first served, as far as what is held and what is denied tells.</summary>
    private void ServeWaiters(long now)
    {
        if (now >= _validUntil)
        {
            _held = 0;
            _denied = false;
        }

        while (_waiters.First is { Value: var waiter })
        {
            var lease = waiter.Permits <= _held ? Admit(waiter.Permits, now)
                : _denied ? Refuse(RefusalReason.Exhausted, now)
                : null;
            if (lease is null)
            {
                return;
            }

            _waiters.RemoveFirst();
            waiter.Cancellation.Unregister(); // doesn't wait for a callback that is waiting for the gate
            if (!waiter.TrySetResult(lease) && lease.IsAcquired)
            {
                _held += waiter.Permits;
            }
        }
    }

    private void FailWaiters()
    {
        var now = _clock.GetTimestamp();
        while (_waiters.First is { Value: var waiter })
        {
            _waiters.RemoveFirst();
            waiter.Cancellation.Unregister();
            waiter.TrySetResult(Refuse(RefusalReason.Unavailable, now));
        }
    }

    [LoggerMessage(LogLevel.Warning, "The bucket of a partition of {Policy} could not be reached: {Error}: {Reason}")]
    private partial void LogUnreachable(string policy, string error, string reason);
}
