using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>Tokens in hand are lost when their lease ends, for the bucket can't know that they were not spent.</content>
internal sealed partial class BucketRateLimiter
{
    private bool _watchesTokens; // one timer, however many leases come and go

    private Lot? TokensInHand =>
        _context.Current.Options.Algorithm == LimitAlgorithm.TokenBucket && _holder.Lot is { Left: > 0 } lot ? lot : null;

    /// <summary>Sees to it that none lapse unspent. Call under the gate.</summary>
    private void WatchTokens()
    {
        if (!_watchesTokens && TokensInHand is { } lot)
        {
            _watchesTokens = true;
            _ = WatchTokensAsync(lot);
        }
    }

    private async Task WatchTokensAsync(Lot lot)
    {
        for (Lot? next = lot; next is not null;)
        {
            var (watched, left) = (next, next.Left);
            var wait = _clock.GetElapsedTime(_clock.GetTimestamp(), watched.LookAt);
            await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, _clock).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            lock (_gate)
            {
                next = _holder.Lot == watched ? null : TokensInHand;
                _watchesTokens = next is not null;
                if (_holder.Lot == watched)
                {
                    KeepOrHandBack(wasSpent: watched.Left < left);
                }
            }
        }
    }

    private void KeepOrHandBack(bool wasSpent)
    {
        if (wasSpent && _waiters.Count == 0) // while some wait for a refusal to end nothing is asked
        {
            StartExchange(renews: true);
        }
        else
        {
            StartHandingBack(all: true);
        }
    }
}
