using System.Threading.RateLimiting;
using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>
/// Permits of one lease in this frontend's hand, spent without a lock. It is the <see cref="RateLimitLease"/> of every request
/// that spends one of them, too: all say the same, so that an admitted request allocates nothing.
/// </summary>
internal sealed class Lot : BucketLease
{
    private int _left;

    /// <param name="limiter">Whose permits they are.</param>
    /// <param name="grant">The bucket's answer that they came with.</param>
    /// <param name="count">How many, with those left of an earlier answer.</param>
    /// <param name="validUntil">Timestamp from which they may not be spent.</param>
    /// <param name="countsUntil">Timestamp from which they are not worth handing back.</param>
    /// <param name="arrivedAt">Timestamp of the answer.</param>
    /// <param name="clock">Whose timestamps they are.</param>
    public Lot(BucketRateLimiter limiter, in PermitGrant grant, int count, long validUntil, long countsUntil, long arrivedAt, TimeProvider clock)
    {
        (Limiter, Grant, Size, ValidUntil, CountsUntil, ArrivedAt) = (limiter, grant, count, validUntil, countsUntil, arrivedAt);
        (PolicyVersion, IsHeldInUse) = (grant.PolicyVersion, limiter is { IsConcurrency: true });
        _left = count;
        _surelyValidUntil = CoarseEnd(clock, validUntil);
        RefillAt = count >= RefillsFrom ? count / 4 : -1;
    }

    /// <summary>
    /// The coarse clock is the kernel's tick, read at a third of the cost of the fine one. It lags by a tick, 10 ms at most; within
    /// this of the lease's end the fine one decides.
    /// </summary>
    private static readonly TimeSpan CoarseMargin = TimeSpan.FromMilliseconds(50);

    private readonly long _surelyValidUntil; // by the coarse clock

    /// <summary>A lot this large is refilled before it is used up; smaller ones would only make their holder ask more often.</summary>
    private const int RefillsFrom = 64;

    public BucketRateLimiter Limiter { get; }

    public PermitGrant Grant { get; }

    public int PolicyVersion { get; }

    /// <summary>Under a concurrency limit each request has a lease of its own, to give back.</summary>
    public bool IsHeldInUse { get; }

    public int Size { get; }

    public long ValidUntil { get; }

    public long CountsUntil { get; }

    public long ArrivedAt { get; }

    /// <summary>When to look whether what is left is needed: early enough for a message to find the lease still running.</summary>
    public long LookAt => ValidUntil - ((ValidUntil - ArrivedAt) / 3);

    /// <summary>The number left at which the next lease is asked for.</summary>
    public int RefillAt { get; }

    /// <summary>Whether permits may still be spent.</summary>
    public bool IsValid(TimeProvider clock) =>
        Environment.TickCount64 < _surelyValidUntil || clock.GetTimestamp() < ValidUntil;

    public int Left => Math.Max(0, Volatile.Read(ref _left));

    public override bool IsAcquired => true;

    public override RefusalReason Reason => RefusalReason.None;

    public override PermitStatus Status => Limiter.StatusOf(this);

    public override void GiveBack() => Limiter.GiveBack(this, 1, useEpoch: null);

    /// <summary>Spends permits. Does not look whether the lot is valid.</summary>
    /// <returns>What is left, or -1 when there were too few.</returns>
    public int TrySpend(int permits)
    {
        var left = Volatile.Read(ref _left);
        while (left >= permits)
        {
            var seen = Interlocked.CompareExchange(ref _left, left - permits, left);
            if (seen == left)
            {
                return left - permits;
            }

            left = seen;
        }

        return -1;
    }

    /// <summary>As <see cref="TrySpend"/>, in one step when there is no lack: the way of nearly all requests.</summary>
    public int TrySpendOne()
    {
        if (Volatile.Read(ref _left) <= 0)
        {
            return -1;
        }

        var left = Interlocked.Decrement(ref _left);
        return left >= 0 ? left : -1; // less than nothing left counts as nothing: see Left
    }

    /// <summary>The coarse clock is read first: if the process is stopped in between, the end comes too early and not too late.</summary>
    private static long CoarseEnd(TimeProvider clock, long validUntil)
    {
        if (clock != TimeProvider.System)
        {
            return long.MinValue; // a test's clock knows no other
        }

        var coarse = Environment.TickCount64;
        return coarse + (long)(clock.GetElapsedTime(clock.GetTimestamp(), validUntil) - CoarseMargin).TotalMilliseconds;
    }

    /// <summary>Takes all that is left away from those who might spend it.</summary>
    public int TakeAll() => Math.Max(0, Interlocked.Exchange(ref _left, 0));

    public void Add(int permits)
    {
        var left = Volatile.Read(ref _left);
        int seen;
        while ((seen = Interlocked.CompareExchange(ref _left, Math.Max(0, left) + permits, left)) != left)
        {
            left = seen;
        }
    }
}
