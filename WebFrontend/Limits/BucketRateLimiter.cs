using System.Threading.RateLimiting;
using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// One partition of one policy on this frontend: leases permits from the cluster's bucket and hands them to requests.
/// </summary>
/// <remarks>
/// <para>At most one exchange with the bucket is under way; requests that arrive meanwhile wait and are asked for together in
/// the next one. An exchange whose answer was lost is repeated as it was, under the same sequence number, and the bucket
/// answers it again without granting again.</para>
/// <para>What the bucket grants is valid from the moment the request was <i>sent</i>, so it ends here no later than there. A
/// denial is remembered until then too, and costs no further call.</para>
/// </remarks>
internal sealed partial class BucketRateLimiter : RateLimiter
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _waiters = [];
    private readonly Guid _holder = Guid.NewGuid();
    private readonly string _policy;
    private readonly IBucketGrain _bucket;
    private readonly TimeSpan _deadline;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;

    private PermitRequest? _unanswered;
    private long _sequence;
    private bool _exchanging;
    private int _held;
    private long _heldWindow;
    private long _validUntil; // of what is held, and of a denial
    private bool _denied;
    private PermitGrant _last;
    private long _lastAnsweredAt;
    private long _lastUsedAt;
    private long _admitted;
    private long _refused;

    public BucketRateLimiter(string policy, IBucketGrain bucket, TimeSpan deadline, TimeProvider clock, ILogger logger)
    {
        (_policy, _bucket, _deadline, _clock, _logger) = (policy, bucket, deadline, clock, logger);
        _lastUsedAt = clock.GetTimestamp();
    }

    /// <summary>How long this partition has had nothing to do and nothing to remember; null while it has.</summary>
    public override TimeSpan? IdleDuration
    {
        get
        {
            lock (_gate)
            {
                var now = _clock.GetTimestamp();
                return _exchanging || _waiters.Count > 0 || (now < _validUntil && (_denied || _held > 0))
                    ? null
                    : _clock.GetElapsedTime(_lastUsedAt, now);
            }
        }
    }

    public override RateLimiterStatistics GetStatistics()
    {
        lock (_gate)
        {
            return new()
            {
                CurrentAvailablePermits = StatusAt(_clock.GetTimestamp()).Remaining,
                CurrentQueuedCount = _waiters.Sum(waiter => waiter.Permits),
                TotalSuccessfulLeases = _admitted,
                TotalFailedLeases = _refused,
            };
        }
    }

    /// <summary>Takes back permits that were not used after all.</summary>
    public void GiveBack(BucketLease lease)
    {
        lock (_gate)
        {
            if (lease.Held is { Permits: > 0 } unused && unused.Window == _heldWindow && _clock.GetTimestamp() < _validUntil)
            {
                _held += unused.Permits;
                StartExchange();
            }
        }
    }

    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        lock (_gate)
        {
            return TryDecide(permitCount, _clock.GetTimestamp()) ?? new BucketLease(RefusalReason.Exhausted, StatusAt(_clock.GetTimestamp()));
        }
    }

    protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (TryDecide(permitCount, _clock.GetTimestamp()) is { } decided)
            {
                return new(decided);
            }

            var waiter = new Waiter(permitCount);
            var node = _waiters.AddLast(waiter);
            if (cancellationToken.CanBeCanceled)
            {
                waiter.Cancellation = cancellationToken.UnsafeRegister(_ => Cancel(node, cancellationToken), null);
            }

            StartExchange();
            return new(waiter.Task);
        }
    }

    /// <summary>Admits from what is held, refuses by what is remembered, or returns null: the bucket has to be asked.</summary>
    private BucketLease? TryDecide(int permits, long now)
    {
        _lastUsedAt = now;
        if (now >= _validUntil)
        {
            _held = 0;
            _denied = false;
        }

        if (_waiters.Count == 0 && _held >= permits && permits > 0)
        {
            return Admit(permits, now);
        }

        return _denied ? Refuse(RefusalReason.Exhausted, now)
            : permits == 0 && now < _validUntil ? new BucketLease(RefusalReason.None, StatusAt(now))
            : null;
    }

    private BucketLease Admit(int permits, long now)
    {
        _held -= permits;
        _admitted++;
        return new(RefusalReason.None, StatusAt(now), _heldWindow, permits);
    }

    private BucketLease Refuse(RefusalReason reason, long now)
    {
        _refused++;
        return new(reason, StatusAt(now));
    }

    /// <summary>
    /// Counted from the answer's arrival, unlike the validity of permits: what is told to clients must not be too short.
    /// </summary>
    private PermitStatus StatusAt(long now)
    {
        var resetsIn = _last.ResetsIn - _clock.GetElapsedTime(_lastAnsweredAt, now);
        return resetsIn > TimeSpan.Zero
            ? new(_policy, _last.Limit, _last.Length, _last.Remaining + _held, resetsIn)
            : new(_policy, _last.Limit, _last.Length, _last.Limit, TimeSpan.Zero);
    }

    private void Cancel(LinkedListNode<Waiter> node, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (node.List is not null)
            {
                _waiters.Remove(node);
            }
        }

        node.Value.TrySetCanceled(cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            lock (_gate)
            {
                FailWaiters();
                StartExchange(); // hands back what is held
            }
        }

        base.Dispose(disposing);
    }

    protected override ValueTask DisposeAsyncCore()
    {
        Dispose(disposing: true);
        return base.DisposeAsyncCore();
    }

    /// <summary>A request that waits for the bucket's answer.</summary>
    private sealed class Waiter(int permits)
        : TaskCompletionSource<RateLimitLease>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public int Permits => permits;

        public CancellationTokenRegistration Cancellation { get; set; }
    }
}
