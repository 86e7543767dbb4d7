using System.Collections.Immutable;
using System.Text.Json;
using Marketplace.Grains.Limits.Pools;
using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <summary>
/// What a bucket takes along when it leaves memory in an orderly way: who holds what. Stored beside its exact count; whoever takes
/// it over removes it from the row first, so that it is taken over once.
/// </summary>
/// <param name="Lots">Names of the row's segments.</param>
/// <param name="Holders">The holders.</param>
internal sealed record BucketHandOver(ImmutableArray<long> Lots, ImmutableArray<BucketHandOver.HolderState> Holders)
{
    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    public static BucketHandOver FromJson(string json) =>
        JsonSerializer.Deserialize<BucketHandOver>(json) ?? throw new FormatException("A bucket's hand-over is empty.");

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <summary>Collects what is worth handing over, or null if nobody holds anything.</summary>
    public static BucketHandOver? Of(PermitPool pool, IEnumerable<(Guid Id, BucketHolder Holder)> holders, Func<IPermitHolder, string?> nameOf, TimeSpan now)
    {
        var states = holders.Where(entry => entry.Holder.MayHave).Select(entry => new HolderState(
            entry.Id,
            entry.Holder.Callback is { } callback ? nameOf(callback) : null,
            entry.Holder.Sequence,
            entry.Holder.LastGrant.Granted,
            entry.Holder.LastGrant.Lot,
            (entry.Holder.LastGrant.EndsIn - (now - entry.Holder.AnsweredAt)).Ticks,
            entry.Holder.Returned,
            entry.Holder.InHand,
            entry.Holder.Claimed,
            [.. entry.Holder.Lots.Select(lot => new LotState(lot.Lot, lot.Count))])).ToImmutableArray();
        return states.IsEmpty ? null : new([.. pool.Lots], states);
    }

    /// <param name="Id">The frontend process.</param>
    /// <param name="Callback">Its observer's grain id.</param>
    /// <param name="Sequence">Its last request that was answered.</param>
    /// <param name="Granted">What that was granted.</param>
    /// <param name="Lot">In which lot.</param>
    /// <param name="EndsInTicks">For how long from now, in ticks of 100 ns.</param>
    /// <param name="Returned">Its last return.</param>
    /// <param name="InHand">What it may have unspent.</param>
    /// <param name="Claimed">Of those, what it has from an activation before the one that hands over.</param>
    /// <param name="Lots">What it was granted in each lot.</param>
    internal sealed record HolderState(
        Guid Id, string? Callback, long Sequence, int Granted, long Lot, long EndsInTicks, long Returned, int InHand,
        int Claimed,        ImmutableArray<LotState> Lots);

    internal sealed record LotState(long Lot, int Count);
}
