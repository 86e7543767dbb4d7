namespace Marketplace.Connections;

/// <summary>
/// The one grain (key 0) that shares out the connections the whole cluster may have. A frontend holds a share under its
/// lease, admits within it without asking, and loses it with the lease.
/// </summary>
[Alias("connections.total")]
public interface IConnectionTotalGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// States what the frontend holds and what it wants, in whole amounts, so that a lost call or answer costs nothing: the
    /// next one says it all again. What is granted is stored before it is answered.
    /// </summary>
    [Alias("exchange")]
    ValueTask<ShareAnswer> Exchange(ShareRequest request);

    /// <summary>Who holds how much, in the order of the epochs.</summary>
    [Alias("shares")]
    ValueTask<IReadOnlyList<ConnectionShare>> GetShares();
}

/// <summary>A frontend's word on its share.</summary>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Sequence">
/// Grows with every request of the epoch. A request that arrives after a later one changes nothing, and a frontend takes no
/// notice of an answer once it has sent another request.
/// </param>
/// <param name="Held">What it admits within from now on, whatever becomes of this request; never more than it was granted.</param>
/// <param name="Wanted">What it would like to hold in all.</param>
[GenerateSerializer, Immutable, Alias("connections.share-request")]
public sealed record ShareRequest(
    [property: Id(0)] long Epoch, [property: Id(1)] long Sequence, [property: Id(2)] int Held, [property: Id(3)] int Wanted);

/// <summary>The cluster's word on a frontend's share.</summary>
/// <param name="Held">What the frontend holds now; zero when its lease has ended.</param>
/// <param name="IsScarce">Little is left: what isn't in use is wanted back with the next request.</param>
[GenerateSerializer, Immutable, Alias("connections.share-answer")]
public sealed record ShareAnswer([property: Id(0)] int Held, [property: Id(1)] bool IsScarce);

/// <summary>One frontend's share of the total.</summary>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Held">How many connections it may have.</param>
[GenerateSerializer, Immutable, Alias("connections.share")]
public sealed record ConnectionShare([property: Id(0)] long Epoch, [property: Id(1)] int Held);
