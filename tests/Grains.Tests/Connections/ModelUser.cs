using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections;

namespace Grains.Tests.Connections;

/// <summary>What UserConnectionsGrain does for a user whose newest connection replaces the oldest; its deadlines are steps.</summary>
internal sealed class ModelUser
{
    private readonly RowStorage _storage;
    private const string RowName = "user";
    private readonly GrainState<List<ConnectionSlot>> _row = new();
    private readonly Queue<PendingTake> _takes = [];
    private readonly Action<ConnectionSlot> _order;
    private readonly int _limit;
    private SlotSet _slots;

    public ModelUser(RowStorage storage, int limit, Action<ConnectionSlot> order)
    {
        (_storage, _limit, _order) = (storage, limit, order);
        storage.ReadStateAsync(RowName, default, _row).GetAwaiter().GetResult();
        _slots = new(_row.State ?? []);
    }

    public bool IsDead { get; private set; }

    public int Slots => _slots.Slots.Count;

    public void Take(Guid connection, long epoch, Func<FrontendEpochs> epochs, Action<SlotOutcome> answer)
    {
        ThrowIfDead();
        _takes.Enqueue(new(connection, epoch, epochs, answer));
        Go();
    }

    public void GiveBack(Guid connection, Action answer)
    {
        ThrowIfDead();
        Store(_slots.Without(connection));
        answer();
        Go();
    }

    /// <summary>The deadline of the take whose turn it is; short of that it only repeats its order.</summary>
    public void Look(bool isOver)
    {
        if (!IsDead && _takes.Count > 0)
        {
            if (isOver)
            {
                _takes.Dequeue().Answer(SlotOutcome.LimitReached);
            }

            Go();
        }
    }

    private void Go()
    {
        while (_takes.Count > 0)
        {
            var take = _takes.Peek();
            var epochs = take.Epochs();
            if (!epochs.IsLive(take.Epoch))
            {
                _takes.Dequeue().Answer(SlotOutcome.LeaseEnded);
                continue;
            }

            var slots = _slots.Prune(epochs);
            if (!slots.Holds(take.Connection) && slots.Slots.Count >= _limit)
            {
                slots.Slots.Take(slots.Slots.Count - _limit + 1).ToList().ForEach(_order);
                return;
            }

            if (!slots.Holds(take.Connection))
            {
                Store(slots.With(new(take.Connection, take.Epoch, default), _limit));
            }

            _takes.Dequeue().Answer(SlotOutcome.Taken);
        }
    }

    private void Store(SlotSet slots)
    {
        if (slots == _slots)
        {
            return;
        }

        IsDead = true;
        _row.State = [.. slots.Slots];
        _storage.WriteStateAsync(RowName, default, _row).GetAwaiter().GetResult();
        IsDead = false;
        _slots = slots;
    }

    private void ThrowIfDead()
    {
        if (IsDead)
        {
            throw new InvalidOperationException("Not now.");
        }
    }

    private sealed record PendingTake(Guid Connection, long Epoch, Func<FrontendEpochs> Epochs, Action<SlotOutcome> Answer);
}
