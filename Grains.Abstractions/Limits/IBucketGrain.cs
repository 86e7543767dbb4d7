namespace Marketplace.Limits;

/// <summary>
/// The permits of one partition under one policy; the key is a <see cref="BucketKey"/>. Frontends lease permits from it and
/// hand back what they don't need. The wire carries durations, never instants: clocks of frontends decide nothing.
/// </summary>
[Alias("limits.bucket")]
public interface IBucketGrain : IGrainWithStringKey
{
    /// <summary>
    /// Takes back permits and leases new ones. A call that is repeated (same holder and sequence, after a time-out) is
    /// answered again and not granted again.
    /// </summary>
    /// <exception cref="Trouble.UnavailableException">The bucket can't persist at the moment; nothing was granted.</exception>
    [Alias("exchange")]
    ValueTask<PermitGrant> Exchange(PermitRequest request);
}

/// <summary>What one holder asks of a bucket. A holder has one call in flight per bucket.</summary>
/// <param name="Holder">The frontend process, by a random id of its own.</param>
/// <param name="Sequence">Grows by one with each new request of this holder to this bucket; a repeat carries the same.</param>
/// <param name="Wanted">Permits the holder can use now; 0 to hand back only.</param>
/// <param name="Returned">Permits handed back unused; they must be of <paramref name="ReturnedWindow"/>, else they are void.</param>
/// <param name="ReturnedWindow">The window that the returned permits were granted in.</param>
[GenerateSerializer, Immutable, Alias("limits.request")]
public readonly record struct PermitRequest(
    [property: Id(0)] Guid Holder,
    [property: Id(1)] long Sequence,
    [property: Id(2)] int Wanted,
    [property: Id(3)] int Returned,
    [property: Id(4)] long ReturnedWindow);

/// <summary>A bucket's answer: a lease on permits, which ends with the window.</summary>
/// <param name="Granted">Permits leased, 0 to what was wanted. They count as used until they are handed back.</param>
/// <param name="Window">Names the window they belong to.</param>
/// <param name="ResetsIn">
/// Time left in the window when the bucket answered. The holder counts it from the moment it *sent* the request, so that a
/// lease ends on the holder no later than in the bucket. After a grant of 0 it is how long to wait before asking again.
/// </param>
/// <param name="Remaining">Permits left in the bucket after this grant.</param>
/// <param name="Limit">The policy's limit.</param>
/// <param name="Length">The policy's window.</param>
/// <param name="PolicyVersion">The version of the policy that decided; a denial is remembered under it.</param>
[GenerateSerializer, Immutable, Alias("limits.grant")]
public readonly record struct PermitGrant(
    [property: Id(0)] int Granted,
    [property: Id(1)] long Window,
    [property: Id(2)] TimeSpan ResetsIn,
    [property: Id(3)] int Remaining,
    [property: Id(4)] int Limit,
    [property: Id(5)] TimeSpan Length,
    [property: Id(6)] int PolicyVersion);
