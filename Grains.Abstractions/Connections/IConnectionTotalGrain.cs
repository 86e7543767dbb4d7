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
    /// next one says it all again. What is granted is stored before it is answered. Before less is granted than is wanted,
    /// the other frontends are asked for what they don't use, which takes well under a second even when one hangs.
    /// </summary>
    [Alias("exchange")]
    ValueTask<ShareAnswer> Exchange(ShareRequest request);

    /// <summary>Who holds how much, in the order of the epochs.</summary>
    [Alias("shares")]
    ValueTask<IReadOnlyList<ConnectionShare>> GetShares();

    /// <summary>How a frontend is reached, or null while it hasn't been heard of: it speaks once a second.</summary>
    [Alias("find-holder")]
    ValueTask<IConnectionHolder?> FindHolder(long epoch);

    /// <summary>Asks all for what they don't use, as before a refusal: when it answers, a lowered total binds.</summary>
    [Alias("reclaim")]
    ValueTask Reclaim();
}

/// <summary>A frontend's word on its share.</summary>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Sequence">
/// Grows with every request of the epoch. A request that arrives after a later one changes nothing, and a frontend takes no
/// notice of an answer once it has sent another request.
/// </param>
/// <param name="Held">What it admits within from now on, whatever becomes of this request; never more than it was granted.</param>
/// <param name="Wanted">
/// What it would like to hold in all: more than <paramref name="Held"/> only if connections wait for it that all of
/// <paramref name="Held"/> doesn't suffice for.
/// </param>
/// <param name="Used">Of what it holds, what is in use; for operators' eyes.</param>
/// <param name="Round">The last recall that it has heard of and follows with this request; 0 for none.</param>
/// <param name="Holder">How it is reached for a recall.</param>
[GenerateSerializer, Immutable, Alias("connections.share-request")]
public sealed record ShareRequest(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Sequence,
    [property: Id(2)] int Held,
    [property: Id(3)] int Wanted,
    [property: Id(4)] int Used = 0,
    [property: Id(5)] long Round = 0,
    [property: Id(6)] IConnectionHolder? Holder = null);

/// <summary>The cluster's word on a frontend's share.</summary>
/// <param name="Held">
/// What the frontend holds now; less than it wanted when nobody in the cluster has any left. Zero when its lease has ended.
/// </param>
/// <param name="IsScarce">Little is left: what isn't in use is wanted back with the next request.</param>
/// <param name="IsOver">
/// More is held than the total allows, since it was lowered: a connection that ends makes room for nobody, here or elsewhere.
/// </param>
[GenerateSerializer, Immutable, Alias("connections.share-answer")]
public sealed record ShareAnswer([property: Id(0)] int Held, [property: Id(1)] bool IsScarce, [property: Id(2)] bool IsOver = false);

/// <summary>One frontend's share of the total.</summary>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Held">How many connections it may have.</param>
/// <param name="Used">How many it had when it spoke last, at most about a second ago.</param>
[GenerateSerializer, Immutable, Alias("connections.share")]
public sealed record ConnectionShare([property: Id(0)] long Epoch, [property: Id(1)] int Held, [property: Id(2)] int Used = 0);
