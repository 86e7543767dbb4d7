using System.Threading.RateLimiting;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// One partition of one policy on this frontend: leases permits from the cluster's bucket and hands them to requests.
/// </summary>
/// <remarks>
/// <para>A request that finds a permit in hand spends it with one compare-and-swap: no lock, no await, no allocation. Only when
/// none is left the rest of this class is at work, under a lock: waiting requests are asked for together, in one exchange at a
/// time. What may be spent and when is <see cref="PermitHolder"/>'s.</para>
/// <para>When the bucket can't be reached within the deadline the policy's trouble mode decides, and goes on deciding at once,
/// without waiting again, until an exchange in the background has succeeded.</para>
/// </remarks>
internal sealed partial class BucketRateLimiter : RateLimiter
{
    private readonly Lock _gate = new();
    private readonly PartitionContext _context;
    private readonly string _bucket;
    private readonly TimeProvider _clock; // of the context, at hand for the fast path, as the policy is
    private readonly FollowedPolicy _policy;
    private readonly LinkedList<Waiter> _waiters = [];

    private PermitHolder _holder;
    private bool _isKept;
    private Lot? _lot; // the holder's, to be read without the lock
    private bool _exchanging;
    private bool _handingBack;
    private bool _inTrouble;
    private long _lastUsedAt;
    private bool _wasUsed; // since somebody looked: the fast path doesn't read the clock for that
    private long _refused;

    /// <param name="context">What all partitions of the policy share.</param>
    /// <param name="partition">Who is counted.</param>
    /// <param name="isKept">
    /// Whether it is this frontend's one limiter for the partition. Another one is a holder of its own, which keeps nothing.
    /// </param>
    public BucketRateLimiter(PartitionContext context, string partition, bool isKept)
    {
        (_context, _isKept) = (context, isKept);
        (_clock, _policy) = (context.Clock, context.Followed);
        _bucket = new BucketKey(context.Policy, partition).ToString();
        _holder = new(this, isKept ? context.Link.Holder : Guid.NewGuid(), context.Clock, context.Link.NextNumber);
        _lastUsedAt = context.Clock.GetTimestamp();
    }

    /// <summary>Whether permits come back when requests end.</summary>
    public bool IsConcurrency => _context.Current.Options.Algorithm == LimitAlgorithm.Concurrency;

    /// <summary>How long this partition has had nothing to do and nothing to remember; null while it has.</summary>
    public override TimeSpan? IdleDuration
    {
        get
        {
            lock (_gate)
            {
                var now = _context.Clock.GetTimestamp();
                return _exchanging || _handingBack || _waiters.Count > 0 || HasUsedShare(now) || !_holder.IsEmpty(now) ? null : UnusedFor(now);
            }
        }
    }

    public override RateLimiterStatistics GetStatistics()
    {
        lock (_gate)
        {
            return new()
            {
                CurrentAvailablePermits = Status(_context.Clock.GetTimestamp()).Remaining,
                CurrentQueuedCount = _waiters.Sum(waiter => (long)waiter.Permits),
                TotalSuccessfulLeases = _holder.Spent + _holder.SpentOfLot,
                TotalFailedLeases = Interlocked.Read(ref _refused),
            };
        }
    }

    /// <summary>Whether <see cref="TrySpend"/> would find a permit, were nobody else to take it.</summary>
    public bool CanSpend => Volatile.Read(ref _lot) is { Left: > 0 } lot
        && lot.Grant.PolicyVersion == _context.Current.Version && _context.Clock.GetTimestamp() < lot.ValidUntil;

    /// <summary>Permits spent, net of those given back, and those in hand, without what is on its way back.</summary>
    public (long Spent, long InHand) Totals
    {
        get
        {
            lock (_gate)
            {
                return (_holder.Spent + _holder.SpentOfLot, _holder.Lot?.Left ?? 0);
            }
        }
    }

    /// <summary>Spends a permit in hand; the fast path of every admitted request.</summary>
    /// <returns>The lease, or null when the rest of this class has to be asked.</returns>
    public Lot? TrySpend()
    {
        var lot = Volatile.Read(ref _lot);
        if (lot is null || lot.IsHeldInUse)
        {
            return null;
        }

        if (!lot.IsValid(_clock) || lot.PolicyVersion != _policy.Current.Version)
        {
            return null;
        }

        var left = lot.TrySpendOne();
        if (left < 0)
        {
            return null;
        }

        _wasUsed = true;
        if (left == lot.RefillAt)
        {
            Refill();
        }

        return lot;
    }

    /// <summary>
    /// A remembered refusal, so that nobody is asked in vain; null when the rest of this class has to be asked. The way of a flood:
    /// it takes no lock. What it sees may be a moment old, as if the request had come that much sooner.
    /// </summary>
    public UncountedLease? KnownRefusal(int permits)
    {
        var now = _clock.GetTimestamp();
        var policy = _policy.Current;
        return _holder.Refused(permits, now, policy.Version) is { } refusal && QueueLimit(policy.Options) == 0
            && !(Volatile.Read(ref _lot) is { } lot && lot.Left >= permits)
            ? Refuse(refusal, now)
            : null;
    }

    /// <summary>Takes back permits that were not used after all, or that a request under a concurrency limit has done with.</summary>
    public void GiveBack(Lot lot, int permits, int? useEpoch)
    {
        lock (_gate)
        {
            var now = _context.Clock.GetTimestamp();
            var spent = _holder.Spent + _holder.SpentOfLot;
            var isNeeded = _holder.GiveBack(lot, permits, _context.Current.Options.Algorithm, useEpoch, now);
            spent -= _holder.Spent + _holder.SpentOfLot;
            _context.Meters.GiveBack(spent);
            if (!_isKept)
            {
                _context.Meters.Retire(-spent);
            }

            WatchTokens();
            _holder.Reopen(); // there may be a permit again, here or in the bucket: what is remembered is out of date
            if (_waiters.Count > 0)
            {
                ServeWaiters(now, _context.Current.Version);
                StartExchange();
            }
            else if (isNeeded || _context.Link.IsDraining || !_isKept) // nobody looks after one that isn't kept
            {
                StartHandingBack(all: true);
            }
        }
    }

    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        if (permitCount == 1 && TrySpend() is { } spent)
        {
            return spent;
        }

        lock (_gate)
        {
            var now = _context.Clock.GetTimestamp();
            return TryDecide(permitCount, now) ?? (RateLimitLease)UncountedLease.Unknown;
        }
    }

    protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            var now = _context.Clock.GetTimestamp();
            if (_waiters.Count == 0 && TryDecide(permitCount, now) is { } decided)
            {
                return new(decided);
            }

            if (_inTrouble)
            {
                StartExchange(); // which finds out whether the trouble is over
                return new(InTrouble(permitCount, now));
            }

            var waiter = new Waiter(permitCount, now);
            _waiters.AddLast(waiter.Node);
            if (cancellationToken.CanBeCanceled)
            {
                waiter.Cancellation = cancellationToken.UnsafeRegister(_ => Cancel(waiter, cancellationToken), null);
            }

            StartExchange();
            return new(waiter.Task);
        }
    }

    private TimeSpan UnusedFor(long now)
    {
        if (_wasUsed)
        {
            (_wasUsed, _lastUsedAt) = (false, now);
        }

        return _context.Clock.GetElapsedTime(_lastUsedAt, now);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            lock (_gate)
            {
                EndWaiters(_context.Clock.GetTimestamp());
                StartHandingBack(all: true);
            }
        }

        base.Dispose(disposing);
    }

    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(disposing: true);
        return base.DisposeAsyncCore();
    }

    /// <summary>Nobody waits for a policy that refuses nobody.</summary>
    private static int QueueLimit(LimitPolicyOptions policy) => policy.Shadow ? 0 : policy.QueueLimit;

    private void Cancel(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (waiter.Node.List is not null)
            {
                _waiters.Remove(waiter.Node);
                if (_waiters.Count > 0)
                {
                    StartExchange(); // what is in hand may be enough for who comes first now
                }
            }
        }

        waiter.TrySetCanceled(cancellationToken);
    }

    /// <summary>A request that waits for the bucket's answer.</summary>
    private sealed class Waiter : TaskCompletionSource<RateLimitLease>
    {
        public Waiter(int permits, long since) : base(TaskCreationOptions.RunContinuationsAsynchronously)
        {
            (Permits, Since) = (permits, since);
            Node = new(this);
        }

        public int Permits { get; }

        public long Since { get; }

        public LinkedListNode<Waiter> Node { get; }

        /// <summary>It waits for permits to come back, for as long as that takes.</summary>
        public bool IsQueued { get; set; }

        public CancellationTokenRegistration Cancellation { get; set; }
    }
}
