using Marketplace.Connections;
using Marketplace.Frontends;

namespace Marketplace.Grains.Connections;

/// <summary>
/// A user's slots: who may come in, who is void. An immutable value, so that what was not stored is simply thrown away.
/// </summary>
internal sealed record SlotSet(IReadOnlyList<ConnectionSlot> Slots)
{
    public static SlotSet Empty { get; } = new([]);

    public bool Holds(Guid connection) => Slots.Any(slot => slot.Connection == connection);

    /// <summary>Without the slots whose frontends' leases have ended; the same value when there are none.</summary>
    public SlotSet Prune(FrontendEpochs epochs) =>
        Slots.Any(slot => epochs.IsVoid(slot.Epoch)) ? new([.. Slots.Where(slot => !epochs.IsVoid(slot.Epoch))]) : this;

    public SlotSet Without(Guid connection) =>
        Holds(connection) ? new([.. Slots.Where(slot => slot.Connection != connection)]) : this;

    /// <summary>With one slot more, or the same value when <paramref name="limit"/> is reached.</summary>
    public SlotSet With(ConnectionSlot slot, int limit) => Slots.Count < limit ? new([.. Slots, slot]) : this;

    public IReadOnlyList<Guid> HeldBy(long epoch) =>
        [.. Slots.Where(slot => slot.Epoch == epoch).Select(slot => slot.Connection)];
}
