using Orleans.Concurrency;

namespace Marketplace.Limits;

/// <summary>
/// The permits of one partition under one policy; the key is a <see cref="BucketKey"/>. Frontends lease permits from it, spend
/// them without asking again, and hand back what they don't need. The wire carries durations, never instants: clocks of
/// frontends decide nothing.
/// </summary>
[Alias("limits.bucket")]
public interface IBucketGrain : IGrainWithStringKey
{
    /// <summary>
    /// Leases permits, after the bucket has asked other holders for theirs if it has too few. A call that is repeated (same
    /// holder and sequence, after a time-out) is answered again and not granted again.
    /// </summary>
    /// <exception cref="Trouble.UnavailableException">The bucket can't persist at the moment; nothing was granted.</exception>
    [Alias("exchange")]
    ValueTask<PermitGrant> Exchange(PermitRequest request);

    /// <summary>
    /// Takes permits back, also while <see cref="Exchange"/> waits for them. Repeats change nothing. A bucket that is not in
    /// memory is opened for it. Where it is forgotten who holds what, as after a crash, the return is void.
    /// </summary>
    /// <returns>False when the return was not taken over and is to come again with the next request.</returns>
    [Alias("hand-back"), AlwaysInterleave]
    ValueTask<bool> HandBack(PermitHandBack handBack);

    /// <summary>Tells how the partition stands, without counting or changing anything.</summary>
    [Alias("peek"), AlwaysInterleave]
    ValueTask<BucketView> Peek();

    /// <summary>Forgets what was counted; permits that are leased at that moment may still be spent until frontends hear of it.</summary>
    [Alias("reset")]
    ValueTask Reset();
}

/// <summary>What one holder asks of a bucket. A holder has one request in flight per bucket, and repeats it until it is answered.</summary>
/// <param name="Holder">The frontend process, by a random id of its own.</param>
/// <param name="Sequence">Grows with each new request of this holder to this bucket; a repeat carries the same.</param>
/// <param name="Wanted">Permits the holder can spend now.</param>
/// <param name="Spare">Permits it would like beyond those, for requests to come.</param>
/// <param name="Held">
/// Permits it has in hand when it sends this, unspent, without <paramref name="Returned"/>; under a concurrency limit those in
/// use too. What it had at its last request and has no longer was spent.
/// </param>
/// <param name="Returned">The newest return, whether or not it has been acknowledged.</param>
/// <param name="Callback">Where the bucket asks for permits back.</param>
/// <param name="Least">The fewest that any of those who wait can do with: fewer serve nobody.</param>
[GenerateSerializer, Immutable, Alias("limits.request")]
public readonly record struct PermitRequest(
    [property: Id(0)] Guid Holder,
    [property: Id(1)] long Sequence,
    [property: Id(2)] int Wanted,
    [property: Id(3)] int Spare,
    [property: Id(4)] int Held,
    [property: Id(5)] PermitReturn Returned,
    [property: Id(6)] IPermitHolder? Callback,
    [property: Id(7)] int Least = 1);

/// <summary>Permits on their way back; repeated as it is until it is acknowledged.</summary>
/// <param name="Sequence">Grows with each new return of this holder to this bucket; 0 when it never returned any.</param>
/// <param name="Count">How many, all unspent.</param>
/// <param name="Lot">The lot they were granted in; permits of a lot that the bucket no longer knows are void.</param>
[GenerateSerializer, Immutable, Alias("limits.return")]
public readonly record struct PermitReturn(
    [property: Id(0)] long Sequence,
    [property: Id(1)] int Count,
    [property: Id(2)] long Lot);

/// <summary>A return that doesn't wait for the next request.</summary>
/// <param name="Holder">The frontend process.</param>
/// <param name="Returned">What it returns.</param>
/// <param name="Held">What it has in hand afterwards, as in <see cref="PermitRequest"/>.</param>
/// <param name="Round">The recall that this answers, or 0.</param>
/// <param name="Seen">The last request whose answer has arrived.</param>
[GenerateSerializer, Immutable, Alias("limits.hand-back")]
public readonly record struct PermitHandBack(
    [property: Id(0)] Guid Holder,
    [property: Id(1)] PermitReturn Returned,
    [property: Id(2)] int Held,
    [property: Id(3)] long Round,
    [property: Id(4)] long Seen);

/// <summary>A bucket's answer: a lease on permits.</summary>
/// <param name="Granted">Permits leased, 0 to what was wanted and would be liked. They count as used until they are handed back.</param>
/// <param name="Lot">Names the permits of one lease; those of different lots don't mix.</param>
/// <param name="EndsIn">
/// How long they may be spent. The holder counts it from the moment it *sent* the request, so that a lease ends on the holder
/// no later than in the bucket.
/// </param>
/// <param name="CountsIn">How long unspent permits of the lot are worth handing back; counted like <paramref name="EndsIn"/>.</param>
/// <param name="ResetsIn">Time until more permits come back than remain now; zero when none are missing.</param>
/// <param name="RetryIn">A refusal, if not zero: how long asking for what was not granted is of no use.</param>
/// <param name="Remaining">Permits left in the bucket after this grant.</param>
/// <param name="Limit">The policy's limit.</param>
/// <param name="Window">The policy's window.</param>
/// <param name="PolicyVersion">The version of the policy that decided; leases and denials are void under another one.</param>
/// <param name="InHand">What the holder has now, as the bucket sees it: if the holder thinks it has more, a lease has ended.</param>
[GenerateSerializer, Immutable, Alias("limits.grant")]
public readonly record struct PermitGrant(
    [property: Id(0)] int Granted,
    [property: Id(1)] long Lot,
    [property: Id(2)] TimeSpan EndsIn,
    [property: Id(3)] TimeSpan CountsIn,
    [property: Id(4)] TimeSpan ResetsIn,
    [property: Id(5)] TimeSpan RetryIn,
    [property: Id(6)] int Remaining,
    [property: Id(7)] int Limit,
    [property: Id(8)] TimeSpan Window,
    [property: Id(9)] int PolicyVersion,
    [property: Id(10)] int InHand);

/// <summary>How a partition stands.</summary>
/// <param name="Limit">The policy's limit.</param>
/// <param name="Used">Permits granted and not handed back, spent or not.</param>
/// <param name="Leased">Of those, what holders may still have in hand, as far as the bucket knows.</param>
/// <param name="Holders">Frontends that hold some.</param>
/// <param name="Remaining">Permits left.</param>
/// <param name="ResetsIn">Time until more permits come back than remain now; zero when none are missing.</param>
/// <param name="PolicyVersion">The version of the policy that counts.</param>
[GenerateSerializer, Immutable, Alias("limits.view")]
public readonly record struct BucketView(
    [property: Id(0)] int Limit,
    [property: Id(1)] int Used,
    [property: Id(2)] int Leased,
    [property: Id(3)] int Holders,
    [property: Id(4)] int Remaining,
    [property: Id(5)] TimeSpan ResetsIn,
    [property: Id(6)] int PolicyVersion);
