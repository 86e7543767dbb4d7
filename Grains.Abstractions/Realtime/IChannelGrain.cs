namespace Marketplace.Realtime;

/// <summary>
/// A channel: all connections of a hub, a group, a user, or one frontend. It knows the frontends that have a listener, never
/// the connections. The key is the channel's name, see <see cref="ChannelNames"/>.
/// </summary>
[Alias("realtime.channel")]
public interface IChannelGrain : IGrainWithStringKey
{
    /// <summary>From the answer on, every message published is sent to this frontend. Idempotent.</summary>
    /// <param name="listener">The frontend.</param>
    /// <param name="change">Rises with every <c>Listen</c> and <c>Leave</c> of one frontend, so that a late one is known.</param>
    [Alias("listen")]
    ValueTask Listen(FrontendAddress listener, long change);

    /// <summary>The last local listener has gone. Ignored when a <c>Listen</c> with a higher change was seen.</summary>
    [Alias("leave")]
    ValueTask Leave(long epoch, long change);

    /// <summary>
    /// Sends messages, in their order, to every listening frontend but the one that publishes. Answers when all of them took the
    /// messages over, or after a short grace when some did, or that one has served somebody: the others are tried again until their
    /// lease ends. Throws <see cref="Trouble.UnavailableException"/> when nobody took them who should have. A repeated call is
    /// recognised and answered as the first one was.
    /// </summary>
    [Alias("publish")]
    ValueTask<PublishResult> Publish(PublishBatch batch);
}

/// <summary>Where a frontend is reached while its lease lives.</summary>
/// <param name="Epoch">Its lease.</param>
/// <param name="Observer">Its observer.</param>
[GenerateSerializer, Immutable, Alias("realtime.address")]
public sealed record FrontendAddress([property: Id(0)] long Epoch, [property: Id(1)] IFrontendObserver Observer);

/// <summary>What one publisher sends to one channel at once; a repetition is the same in every part.</summary>
/// <param name="Publisher">Unique per process.</param>
/// <param name="Items">At least one, in rising order of their sequence.</param>
/// <param name="ServedEpoch">
/// The lease of the frontend that publishes: it has served its own listeners itself and isn't called. 0 if there is none.
/// </param>
[GenerateSerializer, Immutable, Alias("realtime.batch")]
public sealed record PublishBatch(
    [property: Id(0)] Guid Publisher, [property: Id(1)] IReadOnlyList<Publication> Items, [property: Id(2)] long ServedEpoch = 0);

/// <summary>One message with its place in the publisher's order.</summary>
/// <param name="Sequence">Rises with every message of the publisher.</param>
/// <param name="Message">What is sent.</param>
/// <param name="IsServed">The frontend that publishes has a listener that it is for, and has served it: somebody was reached.</param>
[GenerateSerializer, Immutable, Alias("realtime.publication")]
public sealed record Publication(
    [property: Id(0)] long Sequence, [property: Id(1)] ChannelMessage Message, [property: Id(2)] bool IsServed = false);

/// <summary>What became of a batch.</summary>
/// <param name="Claimed">For each item whether a frontend said that it holds a connection that the item is for.</param>
/// <param name="IsPending">Some frontend hasn't answered yet; it may still claim an item.</param>
[GenerateSerializer, Immutable, Alias("realtime.result")]
public sealed record PublishResult([property: Id(0)] IReadOnlyList<bool> Claimed, [property: Id(1)] bool IsPending);
