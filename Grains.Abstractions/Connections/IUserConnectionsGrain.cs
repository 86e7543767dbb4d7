using Orleans.Concurrency;

namespace Marketplace.Connections;

/// <summary>
/// One user's connections (the key is the user's id): a set of slots, not a number, so that a call that timed out and may
/// have been carried out can be repeated. A slot counts while the frontend lease it was taken under has not ended.
/// </summary>
[Alias("connections.user")]
public interface IUserConnectionsGrain : IGrainWithStringKey
{
    /// <summary>
    /// Takes a slot, and answers once it is stored. Idempotent by the connection. If the caps say so, it first has the oldest
    /// connection closed when there is none left, and answers when that is gone.
    /// </summary>
    [Alias("take")]
    ValueTask<SlotAnswer> Take(SlotRequest request);

    /// <summary>Whether <see cref="Take"/> would succeed at the moment. Takes nothing and closes nothing.</summary>
    [Alias("check")]
    ValueTask<SlotAnswer> Check(SlotRequest request);

    /// <summary>Gives a slot back. Idempotent; a connection that holds none is no error.</summary>
    [Alias("give-back"), AlwaysInterleave]
    ValueTask GiveBack(Guid connection);

    /// <summary>The slots that count, oldest first.</summary>
    [Alias("list"), AlwaysInterleave]
    ValueTask<IReadOnlyList<ConnectionSlot>> List();

    /// <summary>Has connections closed, and answers when they are gone, or after a few seconds if some are not.</summary>
    /// <param name="connection">The connection; null for all that there are now.</param>
    [Alias("disconnect"), AlwaysInterleave]
    ValueTask<DisconnectAnswer> Disconnect(Guid? connection);
}

/// <summary>Who asks for a slot.</summary>
/// <param name="Connection">The connection's name, chosen by the frontend and never used again.</param>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Roles">The user's roles, which may have caps of their own.</param>
/// <param name="Transport">What carries it.</param>
[GenerateSerializer, Immutable, Alias("connections.slot-request")]
public sealed record SlotRequest(
    [property: Id(0)] Guid Connection,
    [property: Id(1)] long Epoch,
    [property: Id(2)] IReadOnlyList<string> Roles,
    [property: Id(3)] ConnectionTransport Transport = ConnectionTransport.Unknown);

/// <summary>What carries a connection.</summary>
[GenerateSerializer, Alias("connections.transport")]
public enum ConnectionTransport
{
    Unknown = 0,
    WebSockets = 1,
    ServerSentEvents = 2,
    LongPolling = 3,
}

/// <summary>What became of a request for a slot.</summary>
public enum SlotOutcome
{
    /// <summary>The slot is held and stored.</summary>
    Taken = 0,

    /// <summary>The user has as many connections as one may have.</summary>
    LimitReached = 1,

    /// <summary>The frontend's lease has ended: it may admit nobody under it.</summary>
    LeaseEnded = 2,
}

/// <summary>The answer to a request for a slot.</summary>
/// <param name="Outcome">Whether the slot is held.</param>
/// <param name="RetryAfter">When to ask again, if it isn't.</param>
/// <param name="HeldByCaller">
/// At the limit: the connections that hold slots under the caller's own epoch. A frontend that knows nothing of one of them
/// gives it back, which is how a slot is found that was taken by a call carried out long after its caller had given up.
/// </param>
[GenerateSerializer, Immutable, Alias("connections.slot-answer")]
public sealed record SlotAnswer(
    [property: Id(0)] SlotOutcome Outcome,
    [property: Id(1)] TimeSpan RetryAfter,
    [property: Id(2)] IReadOnlyList<Guid> HeldByCaller);

/// <summary>A connection that counts.</summary>
/// <param name="Connection">The connection's name.</param>
/// <param name="Epoch">The lease of the frontend it is at.</param>
/// <param name="Since">When it was admitted.</param>
/// <param name="Transport">What carries it.</param>
[GenerateSerializer, Immutable, Alias("connections.slot")]
public sealed record ConnectionSlot(
    [property: Id(0)] Guid Connection,
    [property: Id(1)] long Epoch,
    [property: Id(2)] DateTimeOffset Since,
    [property: Id(3)] ConnectionTransport Transport = ConnectionTransport.Unknown);

/// <summary>What became of a wish to have connections closed.</summary>
/// <param name="Found">How many there were.</param>
/// <param name="Left">Of those, how many are not known to be gone: their frontend doesn't answer.</param>
[GenerateSerializer, Immutable, Alias("connections.disconnect-answer")]
public sealed record DisconnectAnswer([property: Id(0)] int Found, [property: Id(1)] int Left);
