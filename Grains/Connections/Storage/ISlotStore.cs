using Marketplace.Connections;

namespace Marketplace.Grains.Connections.Storage;

/// <summary>Where users' slots are kept.</summary>
internal interface ISlotStore
{
    /// <summary>Reads what is stored; null if the user holds no slot.</summary>
    ValueTask<SlotsRow?> ReadAsync(string user);

    /// <summary>Writes, once committed, unless another writer was there first. No slots are no row.</summary>
    ValueTask<SlotsWritten> WriteAsync(SlotsWrite write);
}

/// <summary>Stored slots.</summary>
/// <param name="Slots">The oldest first.</param>
/// <param name="Etag">Of the last write.</param>
internal sealed record SlotsRow(IReadOnlyList<ConnectionSlot> Slots, long Etag);

/// <summary>One write of one user's slots.</summary>
/// <param name="User">Whose.</param>
/// <param name="Slots">All of them from then on, the oldest first.</param>
/// <param name="Etag">The etag last seen, or null if there was no row, or none was looked for.</param>
internal sealed record SlotsWrite(string User, IReadOnlyList<ConnectionSlot> Slots, long? Etag);

/// <summary>What became of a write.</summary>
/// <param name="IsWritten">Whether it took place.</param>
/// <param name="Row">What is stored now. If it was not written: what is there instead, or null when that wasn't seen.</param>
internal readonly record struct SlotsWritten(bool IsWritten, SlotsRow? Row);
