using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <content>Asking holders for permits back, and telling those who were refused.</content>
internal sealed partial class Bucket
{
    /// <summary>Starts a recall from everyone but the one who asks and those who are known not to answer.</summary>
    /// <returns>The recall's name and whom to ask; none if nobody has any.</returns>
    public (long Round, List<RecallTarget> Targets) Recall(Guid except, SilentHolders silent, TimeSpan now)
    {
        _round++;
        var targets = new List<RecallTarget>();
        Settle(now);
        foreach (var (id, holder) in _holders)
        {
            var mayHave = Pool.EndsWithLease ? holder.InHand > 0 : holder.MayHave;
            if (id != except && mayHave && holder.Callback is { } callback && !silent.MayPassOver(id))
            {
                holder.Recalled = _round;
                targets.Add(new(callback, holder.Sequence));
            }
        }

        return (_round, targets);
    }

    /// <summary>Waits no longer for those who have not answered a recall.</summary>
    public void GiveUp(long round, SilentHolders silent)
    {
        foreach (var (id, holder) in _holders)
        {
            if (holder.Recalled == round && holder.Answered != round)
            {
                silent.LeftUnanswered(id);
            }
        }
    }

    /// <summary>Whether all who were asked have answered a recall.</summary>
    public bool IsAnswered(long round) =>
        !_holders.Values.Any(holder => holder.Recalled == round && holder.Answered != round);

    /// <summary>Those who were refused and may ask again, since permits have come back; each is told once.</summary>
    public List<IPermitHolder> TakeReopened(TimeSpan now)
    {
        if (_refused.Count == 0 || Pool.Free(now) <= 0)
        {
            return [];
        }

        return TakeRefused();
    }

    /// <summary>Those who were refused, for a bucket that is reset; each is told once.</summary>
    public List<IPermitHolder> TakeRefused()
    {
        var told = _refused.Select(id => _holders.GetValueOrDefault(id)?.Callback).OfType<IPermitHolder>().ToList();
        _refused.Clear();
        return told;
    }
}

/// <summary>Whom a bucket asks for permits back.</summary>
/// <param name="Callback">The holder.</param>
/// <param name="Answered">Its last request that was answered.</param>
internal readonly record struct RecallTarget(IPermitHolder Callback, long Answered);
