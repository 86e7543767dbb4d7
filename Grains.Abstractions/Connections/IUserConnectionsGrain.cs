namespace Marketplace.Connections;

/// <summary>
/// One user's connections (the key is the user's id): a set of slots, not a number, so that a call that timed out and may
/// have been carried out can be repeated. A slot counts while the frontend lease it was taken under has not ended.
/// </summary>
[Alias("connections.user")]
public interface IUserConnectionsGrain : IGrainWithStringKey
{
    /// <summary>Takes a slot, and answers once it is stored. Idempotent by <paramref name="connection"/>.</summary>
    /// <param name="connection">The connection's name, chosen by the frontend and never used again.</param>
    /// <param name="epoch">The frontend's lease.</param>
    [Alias("take")]
    ValueTask<SlotAnswer> Take(Guid connection, long epoch);

    /// <summary>Whether <see cref="Take"/> would succeed at the moment. Takes nothing.</summary>
    [Alias("check")]
    ValueTask<SlotAnswer> Check(long epoch);

    /// <summary>Gives a slot back. Idempotent; a connection that holds none is no error.</summary>
    [Alias("give-back")]
    ValueTask GiveBack(Guid connection);

    /// <summary>The slots that count, oldest first.</summary>
    [Alias("list")]
    ValueTask<IReadOnlyList<ConnectionSlot>> List();
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
[GenerateSerializer, Immutable, Alias("connections.slot")]
public sealed record ConnectionSlot(
    [property: Id(0)] Guid Connection, [property: Id(1)] long Epoch, [property: Id(2)] DateTimeOffset Since);
