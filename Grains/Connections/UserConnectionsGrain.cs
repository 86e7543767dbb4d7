using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections.Storage;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;

namespace Marketplace.Grains.Connections;

// Never more than the limit: a slot is stored, under the row's etag, before it is acknowledged, and one is dropped only when
// it is given back or its lease is void, which is true for ever (see FrontendLeasesGrain). A second activation that knows an
// older row can't write.
//
// No slot leaks: a frontend repeats GiveBack until it is acknowledged. A Take that its caller gave up may still be carried
// out after that: by this activation it isn't, which remembers what was given back before it was taken; by another it may be, and
// the frontend gives back once more when no call can be under way any longer, and at the limit it is told which slots it holds,
// so that it finds the ones that it knows nothing of. What a dead frontend held is void with its lease.
//
// Replacing keeps the first promise by asking for nothing else than that: the oldest connection's frontend is asked to close
// it, and the new one gets in when there is room, which is when the old one's slot was given back as any other is, or is void.
internal sealed partial class UserConnectionsGrain(
    IGrainContext context,
    ISlotStore store,
    EpochCache epochCache,
    CapsCache capsCache,
    HolderCache holders,
    TimeProvider clock) : Grain, IUserConnectionsGrain, IDisposable
{
    /// <summary>For a user at the limit: when one of the connections may have gone. Nobody knows, so it is a guess.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    /// <summary>Of the names that were given back without a slot, the last ones: no more takes than that wait for one another.</summary>
    private const int GivenUpMax = 64;

    private readonly Queue<Guid> _givenUp = new();
    private readonly StoredSlots _stored = new(context.GrainId.Key.ToString()!, store);

    public void Dispose() => _stored.Dispose();

    public async ValueTask<SlotAnswer> Take(SlotRequest request)
    {
        var startedAt = clock.GetTimestamp();
        while (true)
        {
            if (_givenUp.Contains(request.Connection))
            {
                throw new UnavailableException("Whoever asked for this slot waits for it no more."); // nor is anybody closed for it
            }

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

            // Nobody else takes meanwhile: takes come one after the other, and only what is given back comes between.
            var slot = new ConnectionSlot(request.Connection, request.Epoch, clock.GetUtcNow(), request.Transport);
            if (!_stored.Slots.Holds(request.Connection))
            {
                await TryChangeAsync(slots => slots.Prune(admission.Epochs).With(slot, admission.Limit));
            }

            if (_stored.Slots.Holds(request.Connection)) // else other slots were stored than were known
            {
                return new(SlotOutcome.Taken, TimeSpan.Zero, []);
            }
        }
    }

    public async ValueTask<SlotAnswer> Check(SlotRequest request)
    {
        await _stored.EnsureReadAsync();
        return await AdmitAsync(request) is { Refusal: { } refusal, Caps: var caps }
            && !(refusal.Outcome == SlotOutcome.LimitReached && caps.WhenFull == WhenFull.ReplaceOldest)
            ? refusal : new(SlotOutcome.Taken, TimeSpan.Zero, []);
    }

    public async ValueTask GiveBack(Guid connection)
    {
        await _stored.EnsureReadAsync();
        if (!_stored.Slots.Holds(connection))
        {
            _givenUp.Enqueue(connection);
            if (_givenUp.Count > GivenUpMax)
            {
                _givenUp.Dequeue();
            }
        }

        while (!await TryChangeAsync(slots => slots.Without(connection)))
        {
            // Another activation has written; it is looked for among what that one left.
        }
    }

    public async ValueTask<IReadOnlyList<ConnectionSlot>> List()
    {
        await _stored.EnsureReadAsync();
        return _stored.Slots.Slots.Count == 0 ? [] : _stored.Slots.Prune(await epochCache.GetFreshAsync()).Slots;
    }

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

        if (_stored.Slots.Prune(epochs).Slots.Count >= limit)
        {
            epochs = await epochCache.GetFreshAsync();
            caps = await capsCache.GetAsync();
            limit = caps.Of(request.Roles);
        }

        var slots = _stored.Slots.Prune(epochs);
        var isFull = slots.Slots.Count >= limit && !slots.Holds(request.Connection);
        return new(caps, limit, epochs, isFull ? new(SlotOutcome.LimitReached, RetryAfter, slots.HeldBy(request.Epoch)) : null);
    }

    private async Task<bool> TryChangeAsync(Func<SlotSet, SlotSet> change)
    {
        var before = _stored.Slots;
        var isChanged = await _stored.TryChangeAsync(change);
        if (_stored.Slots != before)
        {
            SignalChanged();
        }

        return isChanged;
    }

    private readonly record struct Admission(ConnectionCaps Caps, int Limit, FrontendEpochs Epochs, SlotAnswer? Refusal);
}
