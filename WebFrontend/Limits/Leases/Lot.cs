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
    public Lot(BucketRateLimiter limiter, in PermitGrant grant, int count, long validUntil, long countsUntil, long arrivedAt)
    {
        (Limiter, Grant, Size, ValidUntil, CountsUntil, ArrivedAt) = (limiter, grant, count, validUntil, countsUntil, arrivedAt);
        _left = count;
        RefillAt = count >= RefillsFrom ? count / 4 : -1;
    }

    /// <summary>A lot this large is refilled before it is used up; smaller ones would only make their holder ask more often.</summary>
    private const int RefillsFrom = 64;

    public BucketRateLimiter Limiter { get; }

    public PermitGrant Grant { get; }

    public int Size { get; }

    public long ValidUntil { get; }

    public long CountsUntil { get; }

    public long ArrivedAt { get; }

    /// <summary>The number left at which the next lease is asked for.</summary>
    public int RefillAt { get; }

    public int Left => Math.Max(0, Volatile.Read(ref _left));

    public override bool IsAcquired => true;

    public override RefusalReason Reason => RefusalReason.None;

    public override PermitStatus Status => Limiter.StatusOf(this);

    public override void GiveBack() => Limiter.GiveBack(this, 1, useEpoch: 0);

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

    /// <summary>Takes all that is left away from those who might spend it.</summary>
    public int TakeAll() => Interlocked.Exchange(ref _left, 0);

    public void Add(int permits) => Interlocked.Add(ref _left, permits);
}
