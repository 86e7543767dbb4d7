namespace Marketplace.Grains.Connections.Storage;

/// <summary>
/// One user's slots as this activation knows them. Until something was read it takes it that nothing is stored, as is so for most
/// who connect; the first write finds out, so a user who comes costs one round trip and not two. Every write is fenced by what is
/// known, so to know too little, or to have been overtaken by another activation, only costs another attempt.
/// </summary>
internal sealed class StoredSlots(string user, ISlotStore store) : IDisposable
{
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private long? _etag;
    private bool _isKnown;

    /// <summary>The slots, if <see cref="EnsureReadAsync"/> was awaited; else what is known of them.</summary>
    public SlotSet Slots { get; private set; } = SlotSet.Empty;

    public void Dispose() => _oneAtATime.Dispose();

    /// <summary>Reads what is stored, unless that is known.</summary>
    public async ValueTask EnsureReadAsync()
    {
        if (_isKnown)
        {
            return;
        }

        await _oneAtATime.WaitAsync();
        try
        {
            if (!_isKnown)
            {
                Accept(await store.ReadAsync(user));
            }
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Stores what <paramref name="change"/> makes of the slots once it is this write's turn.</summary>
    /// <returns>False if other slots were stored than were known, which are known now: what was to be done must be judged anew.</returns>
    public async Task<bool> TryChangeAsync(Func<SlotSet, SlotSet> change)
    {
        await _oneAtATime.WaitAsync();
        try
        {
            var slots = change(Slots);
            if (slots == Slots && !_isKnown)
            {
                Accept(await store.ReadAsync(user)); // of what isn't known it can't be said that nothing is to be done
                return change(Slots) == Slots;
            }

            if (slots == Slots)
            {
                return true;
            }

            var (isWritten, row) = await store.WriteAsync(new(user, slots.Slots, _etag));
            Accept(isWritten || row is not null ? row : await store.ReadAsync(user));
            return isWritten;
        }
        catch
        {
            (Slots, _etag, _isKnown) = (SlotSet.Empty, null, false); // whether it was stored isn't known
            throw;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private void Accept(SlotsRow? row) => (Slots, _etag, _isKnown) = (row is null ? SlotSet.Empty : new(row.Slots), row?.Etag, true);
}
