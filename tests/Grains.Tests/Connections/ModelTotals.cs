using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections;

namespace Grains.Tests.Connections;

/// <summary>What ConnectionTotalGrain does; its deadlines are steps of the schedule.</summary>
internal sealed class ModelTotals
{
    private readonly RowStorage _storage;
    private readonly GrainState<ConnectionTotalState> _row = new();
    private readonly ShareTable _shares;
    private readonly HolderTable _holders;
    private readonly int _total;
    private readonly List<Waiter> _now = [];
    private readonly List<Waiter> _next = [];

    public ModelTotals(RowStorage storage, int total, long firstRound)
    {
        (_storage, _total) = (storage, total);
        storage.ReadStateAsync(ConnectionTotalState.Name, default, _row).GetAwaiter().GetResult();
        _shares = new(_row.State ?? new());
        _holders = new(firstRound);
    }

    public bool IsDead { get; private set; }

    /// <summary>Whether a recall waits for somebody.</summary>
    public bool IsRecalling => _now.Count > 0;

    /// <summary>Answers at once, or when a recall is over.</summary>
    public void Exchange(ShareRequest request, FrontendEpochs epochs, Action<ShareAnswer> answer)
    {
        if (IsDead || !epochs.IsLive(request.Epoch))
        {
            answer(!IsDead && epochs.IsVoid(request.Epoch) ? new(0, false) : throw new InvalidOperationException("Not now."));
            return;
        }

        _shares.Prune(epochs);
        _holders.Prune(epochs);
        _holders.Heard(request);
        var first = Store(_shares.Exchange(request, _total, epochs.Live.Count, _holders.SomebodyWaits));
        if (first.Held >= request.Wanted)
        {
            answer(first);
        }
        else
        {
            _holders.Waits(request.Epoch);
            _next.Add(new(request, epochs, answer));
        }

        Look();
    }

    /// <summary>The deadline of the present recall.</summary>
    public void GiveUp()
    {
        _holders.GiveUp();
        Look();
    }

    private void Look()
    {
        while (!IsDead && (_now.Count > 0 || _next.Count > 0))
        {
            if (_now.Count == 0)
            {
                _now.AddRange(_next);
                _next.Clear();
                var (round, targets) = _holders.Recall(_shares.Shares);
                targets.ForEach(target => target.Callback.Recall(target.Epoch, round));
            }

            if (!_holders.IsAnswered)
            {
                return;
            }

            var done = _now.ToList();
            _now.Clear();
            foreach (var waiter in done)
            {
                _holders.WaitsNoMore(waiter.Request.Epoch);
                _shares.Prune(waiter.Epochs);
                waiter.Answer(Store(_shares.Grant(waiter.Request, _total, waiter.Epochs.Live.Count, othersWait: true)));
            }
        }
    }

    private ShareAnswer Store((ShareAnswer Answer, bool Grants) decision)
    {
        if (decision.Grants)
        {
            IsDead = true;
            _row.State = _shares.ToState();
            _storage.WriteStateAsync(ConnectionTotalState.Name, default, _row).GetAwaiter().GetResult();
            IsDead = false;
        }

        return decision.Answer;
    }

    private sealed record Waiter(ShareRequest Request, FrontendEpochs Epochs, Action<ShareAnswer> Answer);
}
