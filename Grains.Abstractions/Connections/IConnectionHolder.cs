using Orleans.Concurrency;

namespace Marketplace.Connections;

/// <summary>A frontend's end of what it holds. Calls only start something; what they ask for comes by a call of its own.</summary>
[Alias("connections.holder")]
public interface IConnectionHolder : IGrainObserver
{
    /// <summary>
    /// Asks for all of the total that isn't in use, since somebody else is about to be refused. The answer is the next
    /// <see cref="IConnectionTotalGrain.Exchange"/>, which names this round, also when there is nothing to hand back.
    /// </summary>
    /// <param name="epoch">The lease under which the frontend holds it.</param>
    /// <param name="round">Names this recall.</param>
    [Alias("recall"), OneWay]
    Task Recall(long epoch, long round);

    /// <summary>
    /// Asks for a user's connections to be closed. The answer is <see cref="IUserConnectionsGrain.GiveBack"/> for each, also
    /// for one that the frontend knows nothing of. May be repeated.
    /// </summary>
    [Alias("close"), OneWay]
    Task Close(CloseOrder order);
}

/// <summary>Connections to be closed.</summary>
/// <param name="Epoch">The lease under which the frontend holds them.</param>
/// <param name="User">Whose they are.</param>
/// <param name="Connections">Their names.</param>
/// <param name="Reason">Why, for the client.</param>
[GenerateSerializer, Immutable, Alias("connections.close-order")]
public sealed record CloseOrder(
    [property: Id(0)] long Epoch,
    [property: Id(1)] string User,
    [property: Id(2)] IReadOnlyList<Guid> Connections,
    [property: Id(3)] CloseReason Reason);

/// <summary>Why a connection is closed.</summary>
[GenerateSerializer, Alias("connections.close-reason")]
public enum CloseReason
{
    /// <summary>The user has opened another, and this one was the oldest.</summary>
    Replaced = 0,

    /// <summary>An operator wants it so.</summary>
    Disconnected = 1,
}
