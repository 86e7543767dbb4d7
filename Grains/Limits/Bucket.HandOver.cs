using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <content>Orderly moves.</content>
internal sealed partial class Bucket
{
    /// <summary>Who holds what, for a successor.</summary>
    /// <param name="nameOf">Names a holder so that the successor finds it.</param>
    /// <param name="now">The time.</param>
    public BucketHandOver? HandOver(Func<IPermitHolder, string?> nameOf, TimeSpan now)
    {
        Settle(now);
        return BucketHandOver.Of(Pool, _holders.Select(entry => (entry.Key, entry.Value)), nameOf, now);
    }

    /// <summary>Takes over what a predecessor handed over, after the pool has been restored from the same row.</summary>
    public void TakeOver(BucketHandOver handOver, TimeSpan age, TimeSpan askedAt, Func<string, IPermitHolder> callbackOf, TimeSpan now)
    {
        Pool.Lots = handOver.Lots;
        foreach (var state in handOver.Holders)
        {
            var endsIn = TimeSpan.FromTicks(state.EndsInTicks) - age;
            var holder = new BucketHolder
            {
                Callback = state.Callback is { } callback ? callbackOf(callback) : null,
                Sequence = state.Sequence,
                AnsweredAt = now,
                EndsAt = now + endsIn,
                Returned = state.Returned,
                InHand = Pool.Resume(state.InHand, now),
                Claimed = state.Claimed,
            };
            foreach (var lot in state.Lots)
            {
                holder.Add(lot.Lot, lot.Count);
            }

            holder.LastGrant = Grant(state.Granted, state.Lot, endsIn - (now - askedAt), holder.InHand, missing: 0, now);
            _holders.Add(state.Id, holder);
        }
    }
}
