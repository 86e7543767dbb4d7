using Marketplace.Connections;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Connections;

// Never more than the limit: a slot is stored, under the row's etag, before it is acknowledged, and one is dropped only when
// it is given back or its lease is void, which is true for ever (see FrontendLeasesGrain). A second activation that knows an
// older row can't write.
//
// No slot leaks: a frontend repeats GiveBack until it is acknowledged. A Take that its caller gave up may still be carried
// out after that; the frontend gives back once more when no call can be under way any longer, and at the limit it is told
// which slots it holds, so that it finds the ones that it knows nothing of. What a dead frontend held is void with its lease.
internal sealed class UserConnectionsGrain(
    [PersistentState(UserConnectionsState.Name)] IPersistentState<UserConnectionsState> stored,
    EpochCache epochCache,
    IOptions<ConnectionSettings> settings,
    TimeProvider clock) : Grain, IUserConnectionsGrain
{
    /// <summary>For a user at the limit: when one of the connections may have gone. Nobody knows, so it is a guess.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private SlotSet _slots = SlotSet.Empty;

    private int Limit => settings.Value.PerUser;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _slots = new([.. stored.State.Slots.Select(slot => new ConnectionSlot(slot.Connection, slot.Epoch, slot.Since))]);
        return Task.CompletedTask;
    }

    public async ValueTask<SlotAnswer> Take(Guid connection, long epoch)
    {
        var (slots, refusal) = await AdmitAsync(epoch, connection);
        if (refusal is not null)
        {
            return refusal;
        }

        if (!slots.Holds(connection))
        {
            await StoreAsync(slots.With(new(connection, epoch, clock.GetUtcNow()), Limit));
        }

        return new(SlotOutcome.Taken, TimeSpan.Zero, []);
    }

    public async ValueTask<SlotAnswer> Check(long epoch) =>
        (await AdmitAsync(epoch, connection: null)).Refusal ?? new(SlotOutcome.Taken, TimeSpan.Zero, []);

    public async ValueTask GiveBack(Guid connection)
    {
        if (_slots.Holds(connection))
        {
            await StoreAsync(_slots.Without(connection));
        }
    }

    public async ValueTask<IReadOnlyList<ConnectionSlot>> List() =>
        _slots.Slots.Count == 0 ? [] : _slots.Prune(await epochCache.GetFreshAsync()).Slots;

    /// <summary>The slots that count, and why there is no room for another, if so.</summary>
    private async ValueTask<(SlotSet Slots, SlotAnswer? Refusal)> AdmitAsync(long epoch, Guid? connection)
    {
        var epochs = await epochCache.GetAsync(epoch);
        if (epochs.IsVoid(epoch))
        {
            return (_slots, new(SlotOutcome.LeaseEnded, TimeSpan.FromSeconds(1), []));
        }

        if (!epochs.IsLive(epoch))
        {
            throw new UnavailableException($"The frontend lease {epoch} isn't known yet.");
        }

        var slots = _slots.Prune(epochs);
        if (slots.Slots.Count >= Limit)
        {
            slots = slots.Prune(await epochCache.GetFreshAsync());
        }

        var isFull = slots.Slots.Count >= Limit && !(connection is { } known && slots.Holds(known));
        return (slots, isFull ? new(SlotOutcome.LimitReached, RetryAfter, slots.HeldBy(epoch)) : null);
    }

    private async Task StoreAsync(SlotSet slots)
    {
        stored.State = new()
        {
            Slots = [.. slots.Slots.Select(slot => new StoredSlot
            {
                Connection = slot.Connection, Epoch = slot.Epoch, Since = slot.Since,
            })],
        };
        try
        {
            await (slots.Slots.Count > 0 ? stored.WriteStateAsync() : stored.ClearStateAsync());
        }
        catch
        {
            // Whether it was stored isn't known: the next activation reads it.
            DeactivateOnIdle();
            throw;
        }

        _slots = slots;
    }
}
