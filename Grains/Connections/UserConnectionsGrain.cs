using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;

namespace Marketplace.Grains.Connections;

// Never more than the limit: a slot is stored, under the row's etag, before it is acknowledged, and one is dropped only when
// it is given back or its lease is void, which is true for ever (see FrontendLeasesGrain). A second activation that knows an
// older row can't write.
//
// No slot leaks: a frontend repeats GiveBack until it is acknowledged. A Take that its caller gave up may still be carried
// out after that; the frontend gives back once more when no call can be under way any longer, and at the limit it is told
// which slots it holds, so that it finds the ones that it knows nothing of. What a dead frontend held is void with its lease.
//
// Replacing keeps the first promise by asking for nothing else than that: the oldest connection's frontend is asked to close
// it, and the new one gets in when there is room, which is when the old one's slot was given back as any other is, or is void.
internal sealed partial class UserConnectionsGrain(
    [PersistentState(UserConnectionsState.Name)] IPersistentState<UserConnectionsState> stored,
    EpochCache epochCache,
    CapsCache capsCache,
    HolderCache holders,
    TimeProvider clock) : Grain, IUserConnectionsGrain, IDisposable
{
    /// <summary>For a user at the limit: when one of the connections may have gone. Nobody knows, so it is a guess.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _oneWrite = new(1, 1);
    private SlotSet _slots = SlotSet.Empty;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _slots = new([.. stored.State.Slots.Select(slot => new ConnectionSlot(slot.Connection, slot.Epoch, slot.Since, slot.Transport))]);
        return Task.CompletedTask;
    }

    public void Dispose() => _oneWrite.Dispose();

    public async ValueTask<SlotAnswer> Take(SlotRequest request)
    {
        var startedAt = clock.GetTimestamp();
        while (true)
        {
            var admission = await AdmitAsync(request);
            if (admission.Refusal is { } refusal)
            {
                if (refusal.Outcome == SlotOutcome.LimitReached && admission.Caps.WhenFull == WhenFull.ReplaceOldest
                    && await TryMakeRoomAsync(admission, startedAt))
                {
                    continue;
                }

                return refusal;
            }

            if (!_slots.Holds(request.Connection))
            {
                // Nobody else takes meanwhile: takes come one after the other, and only what is given back comes between.
                var slot = new ConnectionSlot(request.Connection, request.Epoch, clock.GetUtcNow(), request.Transport);
                await StoreAsync(slots => slots.Prune(admission.Epochs).With(slot, admission.Limit));
            }

            return new(SlotOutcome.Taken, TimeSpan.Zero, []);
        }
    }

    public async ValueTask<SlotAnswer> Check(SlotRequest request) =>
        await AdmitAsync(request) is { Refusal: { } refusal, Caps: var caps }
            && !(refusal.Outcome == SlotOutcome.LimitReached && caps.WhenFull == WhenFull.ReplaceOldest)
            ? refusal : new(SlotOutcome.Taken, TimeSpan.Zero, []);

    public async ValueTask GiveBack(Guid connection)
    {
        if (_slots.Holds(connection))
        {
            await StoreAsync(slots => slots.Without(connection));
        }
    }

    public async ValueTask<IReadOnlyList<ConnectionSlot>> List() =>
        _slots.Slots.Count == 0 ? [] : _slots.Prune(await epochCache.GetFreshAsync()).Slots;

    /// <summary>The slots that count, and why there is no room for another, if so.</summary>
    private async ValueTask<Admission> AdmitAsync(SlotRequest request)
    {
        var epochs = await epochCache.GetAsync(request.Epoch);
        var caps = await capsCache.GetAsync();
        var limit = caps.Of(request.Roles);
        if (epochs.IsVoid(request.Epoch))
        {
            return new(caps, limit, epochs, new(SlotOutcome.LeaseEnded, TimeSpan.FromSeconds(1), []));
        }

        if (!epochs.IsLive(request.Epoch))
        {
            throw new UnavailableException($"The frontend lease {request.Epoch} isn't known yet.");
        }

        if (_slots.Prune(epochs).Slots.Count >= limit)
        {
            epochs = await epochCache.GetFreshAsync();
            caps = await capsCache.GetAsync();
            limit = caps.Of(request.Roles);
        }

        var slots = _slots.Prune(epochs);
        var isFull = slots.Slots.Count >= limit && !slots.Holds(request.Connection);
        return new(caps, limit, epochs, isFull ? new(SlotOutcome.LimitReached, RetryAfter, slots.HeldBy(request.Epoch)) : null);
    }

    /// <summary>Stores what <paramref name="change"/> makes of the slots once it is this write's turn.</summary>
    private async Task StoreAsync(Func<SlotSet, SlotSet> change)
    {
        await _oneWrite.WaitAsync();
        try
        {
            var slots = change(_slots);
            if (slots == _slots)
            {
                return;
            }

            stored.State = new()
            {
                Slots = [.. slots.Slots.Select(slot => new StoredSlot
                {
                    Connection = slot.Connection, Epoch = slot.Epoch, Since = slot.Since, Transport = slot.Transport,
                })],
            };
            await (slots.Slots.Count > 0 ? stored.WriteStateAsync() : stored.ClearStateAsync());
            _slots = slots;
            SignalChanged();
        }
        catch
        {
            // Whether it was stored isn't known: the next activation reads it.
            DeactivateOnIdle();
            throw;
        }
        finally
        {
            _oneWrite.Release();
        }
    }

    private readonly record struct Admission(ConnectionCaps Caps, int Limit, FrontendEpochs Epochs, SlotAnswer? Refusal);
}
