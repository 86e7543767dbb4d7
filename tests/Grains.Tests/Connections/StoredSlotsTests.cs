using Marketplace.Connections;
using Marketplace.Grains.Connections;
using Marketplace.Grains.Connections.Storage;

namespace Grains.Tests.Connections;

public sealed class StoredSlotsTests : IDisposable
{
    private const string User = "u";
    private readonly MemorySlotStore _store = new();
    private readonly StoredSlots _slots;

    public StoredSlotsTests() => _slots = new(User, _store);

    public void Dispose() => _slots.Dispose();

    [Fact]
    public async Task Who_connects_first_costs_one_write_and_no_read()
    {
        Assert.True(await AddAsync(_slots));
        Assert.Equal(0, _store.Reads);
        Assert.Equal(_slots.Slots.Slots, (await _store.ReadAsync(User))!.Slots);
    }

    [Fact]
    public async Task What_an_earlier_activation_stored_is_found_by_the_first_write_which_changes_nothing()
    {
        using var earlier = new StoredSlots(User, _store);
        await AddAsync(earlier);

        Assert.False(await AddAsync(_slots));
        Assert.Equal(earlier.Slots.Slots, _slots.Slots.Slots);
        Assert.True(await AddAsync(_slots));
        Assert.Equal(2, (await _store.ReadAsync(User))!.Slots.Count);
    }

    [Fact]
    public async Task Two_activations_cannot_both_write_by_what_they_know()
    {
        using var other = new StoredSlots(User, _store);
        await AddAsync(other);
        await _slots.EnsureReadAsync();
        await AddAsync(other);

        Assert.False(await AddAsync(_slots));
        Assert.Equal(2, _slots.Slots.Slots.Count);
    }

    [Fact]
    public async Task Who_knows_a_row_that_was_deleted_cannot_write_it_back()
    {
        using var other = new StoredSlots(User, _store);
        await AddAsync(other);
        await _slots.EnsureReadAsync();
        await other.TryChangeAsync(_ => SlotSet.Empty);

        Assert.False(await AddAsync(_slots));
        Assert.Empty(_slots.Slots.Slots);
        Assert.Null(await _store.ReadAsync(User));
    }

    [Fact]
    public async Task After_a_write_of_unknown_outcome_it_knows_nothing_and_finds_out()
    {
        _store.LosesNextAnswer = true;
        await Assert.ThrowsAsync<TimeoutException>(() => AddAsync(_slots));
        Assert.Empty(_slots.Slots.Slots);

        Assert.False(await AddAsync(_slots));
        Assert.Single(_slots.Slots.Slots);
    }

    [Fact]
    public async Task Who_waits_for_a_write_that_fails_takes_no_slot_for_gone_that_is_stored()
    {
        await AddAsync(_slots);
        var held = _slots.Slots.Slots.Single().Connection;
        await Assert.ThrowsAsync<TimeoutException>(() => _slots.TryChangeAsync(_ => throw new TimeoutException()));

        Assert.False(await _slots.TryChangeAsync(slots => slots.Without(held))); // to be judged anew
        Assert.True(await _slots.TryChangeAsync(slots => slots.Without(held)));
        Assert.Null(await _store.ReadAsync(User));
    }

    private static Task<bool> AddAsync(StoredSlots slots)
    {
        var slot = new ConnectionSlot(Guid.NewGuid(), Epoch: 1, DateTimeOffset.UnixEpoch, ConnectionTransport.WebSockets);
        return slots.TryChangeAsync(current => current.With(slot, limit: 5));
    }
}
