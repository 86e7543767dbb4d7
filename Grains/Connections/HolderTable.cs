using Marketplace.Connections;
using Marketplace.Frontends;

namespace Marketplace.Grains.Connections;

/// <summary>
/// Who is asked for what it doesn't use before somebody is refused, and who has answered. One that waits for more itself
/// uses all that it holds. One that leaves a recall unanswered is passed over until it speaks again, so that a frontend
/// that hangs costs the others its deadline once.
/// </summary>
internal sealed class HolderTable(long firstRound)
{
    private readonly Dictionary<long, Holder> _holders = [];

    // Rounds of different activations mustn't have the same name: a late answer would pass for another's.
    private long _round = firstRound;

    public bool SomebodyWaits => _holders.Values.Any(holder => holder.Waiting > 0);

    /// <summary>Takes note of a request, which may be the answer to a recall.</summary>
    public void Heard(ShareRequest request)
    {
        var holder = Get(request.Epoch);
        if (request.Sequence <= holder.Sequence)
        {
            return; // late: what it says may be over
        }

        holder.Sequence = request.Sequence;
        holder.Callback = request.Holder ?? holder.Callback;
        holder.Used = request.Used;
        holder.IsSilent = false;
        if (holder.Recalled == request.Round || request.Wanted > request.Held)
        {
            holder.Recalled = 0;
        }
    }

    /// <summary>The frontend's request waits here for others to hand something back.</summary>
    public void Waits(long epoch) => Get(epoch).Waiting++;

    public void WaitsNoMore(long epoch) => Get(epoch).Waiting--;

    /// <summary>Starts a recall from all who may have something that they don't use.</summary>
    /// <param name="shares">Who holds how much.</param>
    /// <returns>The recall's name and whom to call; one that isn't known yet is waited for all the same, since it will speak.</returns>
    public (long Round, List<(long Epoch, IConnectionHolder Callback)> Targets) Recall(IEnumerable<ConnectionShare> shares)
    {
        _round++;
        var targets = new List<(long, IConnectionHolder)>();
        foreach (var share in shares.Where(share => share.Held > 0))
        {
            var holder = Get(share.Epoch);
            if (holder is not { Waiting: 0, IsSilent: false })
            {
                continue;
            }

            holder.Recalled = _round;
            if (holder.Callback is { } callback)
            {
                targets.Add((share.Epoch, callback));
            }
        }

        return (_round, targets);
    }

    /// <summary>Whether all who were asked in the present recall have answered, wait themselves, or are gone.</summary>
    public bool IsAnswered => !_holders.Values.Any(holder => holder.Recalled == _round && holder.Waiting == 0);

    /// <summary>Passes over those who have not answered the present recall.</summary>
    public IReadOnlyList<long> GiveUp()
    {
        var silent = _holders.Where(holder => holder.Value.Recalled == _round && holder.Value.Waiting == 0).ToList();
        silent.ForEach(holder => (holder.Value.Recalled, holder.Value.IsSilent) = (0, true));
        return [.. silent.Select(holder => holder.Key)];
    }

    public IConnectionHolder? Find(long epoch) => _holders.GetValueOrDefault(epoch)?.Callback;

    public int UsedBy(long epoch) => _holders.GetValueOrDefault(epoch)?.Used ?? 0;

    /// <summary>Forgets those whose leases have ended.</summary>
    public void Prune(FrontendEpochs epochs)
    {
        foreach (var epoch in _holders.Keys.Where(epoch => epochs.IsVoid(epoch) && _holders[epoch].Waiting == 0).ToList())
        {
            _holders.Remove(epoch);
        }
    }

    private Holder Get(long epoch)
    {
        if (!_holders.TryGetValue(epoch, out var holder))
        {
            _holders[epoch] = holder = new();
        }

        return holder;
    }

    private sealed class Holder
    {
        public IConnectionHolder? Callback { get; set; }

        public long Sequence { get; set; }

        public int Used { get; set; }

        /// <summary>Requests that wait; more than one when an earlier one was given up by its caller.</summary>
        public int Waiting { get; set; }

        /// <summary>The recall that it has to answer, or 0.</summary>
        public long Recalled { get; set; }

        public bool IsSilent { get; set; }
    }
}
