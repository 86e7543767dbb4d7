using Marketplace.Grains.Limits.Pools;
using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <summary>What a bucket remembers of one holder.</summary>
internal sealed class BucketHolder
{
    private readonly List<(long Lot, int Count)> _lots = new(1);

    public IPermitHolder? Callback { get; set; }

    /// <summary>The last request that was answered, with what it was granted.</summary>
    public long Sequence { get; set; }

    public PermitGrant LastGrant { get; set; }

    public TimeSpan AnsweredAt { get; set; }

    /// <summary>The last return that was taken over.</summary>
    public long Returned { get; set; }

    /// <summary>The last recall that it was asked to answer, and the last that it answered.</summary>
    public long Recalled { get; set; }

    public long Answered { get; set; }

    /// <summary>Permits that it may have unspent: what it said it had, and what it was granted since.</summary>
    public int InHand { get; set; }

    /// <summary>Of those, what it has from an earlier activation.</summary>
    public int Claimed { get; set; }

    /// <summary>When its lease ends.</summary>
    public TimeSpan EndsAt { get; set; }

    /// <summary>What it was granted in each lot and has not handed back, spent or not.</summary>
    public IReadOnlyList<(long Lot, int Count)> Lots => _lots;

    /// <summary>Permits of lots that count; spent ones among them may yet come back as a refund.</summary>
    public int InLots => (int)Math.Min(int.MaxValue, _lots.Sum(entry => (long)entry.Count));

    /// <summary>Whether it is worth asking for permits.</summary>
    public bool MayHave => _lots.Count > 0;

    public void Add(long lot, int count)
    {
        if (count > 0)
        {
            var at = _lots.FindIndex(entry => entry.Lot == lot);
            if (at < 0)
            {
                _lots.Add((lot, count));
            }
            else
            {
                _lots[at] = (lot, (int)Math.Min(int.MaxValue, _lots[at].Count + (long)count));
            }
        }
    }

    /// <summary>Takes up to <paramref name="count"/> permits of a lot away.</summary>
    /// <returns>How many there were.</returns>
    public int Remove(long lot, int count)
    {
        var at = _lots.FindIndex(entry => entry.Lot == lot);
        if (at < 0 || count <= 0)
        {
            return 0;
        }

        var removed = Math.Min(count, _lots[at].Count);
        _lots[at] = (lot, _lots[at].Count - removed);
        return removed;
    }

    /// <summary>Forgets lots that no longer count.</summary>
    public void Forget(PermitPool pool, TimeSpan now)
    {
        if (_lots.RemoveAll(entry => entry.Count == 0 || !pool.Knows(entry.Lot, now)) > 0 && !pool.EndsWithLease)
        {
            InHand = Math.Min(InHand, InLots);
        }
    }
}
