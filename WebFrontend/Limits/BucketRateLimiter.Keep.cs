using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <content>What buckets, and whoever keeps this frontend's partitions, ask of it.</content>
internal sealed partial class BucketRateLimiter
{
    private bool _isRenewing;

    /// <summary>A bucket asks for what is unspent.</summary>
    public void Recall(long round, long answered)
    {
        lock (_gate)
        {
            _context.Meters.Recalled();
            _holder.Recall(round, answered);
            StartHandingBack(all: false);
        }
    }

    /// <summary>A bucket that had refused has permits again.</summary>
    public void Reopen()
    {
        lock (_gate)
        {
            _holder.Reopen();
            if (_waiters.Count > 0)
            {
                StartExchange();
            }
        }
    }

    /// <summary>Called every few seconds: hands back what an idle partition holds, and renews what a concurrency limit has in use.</summary>
    public void Maintain(TimeSpan idleAfter)
    {
        lock (_gate)
        {
            var now = _context.Clock.GetTimestamp();
            if (_holder.MustRenew(now))
            {
                StartExchange(renews: true);
            }
            else if (_holder.Unanswered is not null)
            {
                StartExchange(); // its answer says what is in hand
            }
            else if (_holder.InUse == 0 && _waiters.Count == 0 && UnusedFor(now) >= idleAfter)
            {
                StartHandingBack(all: true);
            }
        }
    }

    /// <summary>What a limiter that isn't kept has in use is renewed by itself, until it has come back.</summary>
    private async Task RenewAsync()
    {
        while (true)
        {
            await Task.Delay(PartitionKeeper.Rhythm, _context.Clock).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            lock (_gate)
            {
                if (_isKept || _holder.InUse == 0)
                {
                    _isRenewing = false;
                    return;
                }
            }

            Maintain(idleAfter: TimeSpan.MaxValue);
        }
    }

    /// <summary>
    /// Lets go of the partition if it has been idle for so long. Whoever got hold of this limiter just before may go on using it:
    /// it is a holder of its own from then on, beside the one that takes its place.
    /// </summary>
    public bool TryRetire(TimeSpan idleFor)
    {
        lock (_gate)
        {
            if (!(IdleDuration >= idleFor))
            {
                return false;
            }

            LeaveTrouble();
            _context.Meters.Retire(_holder.Spent + _holder.SpentOfLot);
            _isKept = false;
            _holder = new(this, Guid.NewGuid(), _context.Clock, _context.Link.NextNumber);
            Volatile.Write(ref _lot, null);
            return true;
        }
    }

    /// <summary>Hands everything back and waits until the bucket has it, or <paramref name="cancellationToken"/> says not to.</summary>
    public async Task HandBackAllAsync(CancellationToken cancellationToken)
    {
        Task exchange;
        lock (_gate)
        {
            exchange = _exchanging ? _exchangeDone : Task.CompletedTask;
        }

        await exchange.WaitAsync(cancellationToken); // what it brings has to go back too
        Task handBack;
        lock (_gate)
        {
            StartHandingBack(all: true);
            handBack = _handBackDone;
        }

        await handBack.WaitAsync(cancellationToken);
    }
}
