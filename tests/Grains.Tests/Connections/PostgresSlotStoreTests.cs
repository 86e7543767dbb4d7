using Marketplace.Connections;
using Marketplace.Grains.Connections.Storage;
using Marketplace.Testing;
using Npgsql;

namespace Grains.Tests.Connections;

public sealed class PostgresSlotStoreTests : IAsyncLifetime
{
    private NpgsqlDataSource _dataSource = null!;
    private PostgresSlotStore _store = null!;

    public async ValueTask InitializeAsync()
    {
        _dataSource = await TestDatabase.CreateAsync();
        _store = new(_dataSource);
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await _dataSource.DisposeAsync();
    }

    [Fact]
    public async Task What_was_written_is_read_until_there_are_no_slots_any_more()
    {
        var (first, second) = (Slot(1), Slot(2));
        var one = await _store.WriteAsync(new("u", [first], Etag: null));
        var two = await _store.WriteAsync(new("u", [first, second], one.Row!.Etag));
        Assert.True(one.IsWritten && two.IsWritten);

        var read = await _store.ReadAsync("u");
        Assert.Equal([first, second], read!.Slots);
        Assert.Equal(two.Row!.Etag, read.Etag);

        Assert.Equal(new(true, null), await _store.WriteAsync(new("u", [], read.Etag)));
        Assert.Null(await _store.ReadAsync("u"));
    }

    [Fact]
    public async Task A_writer_who_knows_no_row_or_an_older_one_is_told_what_is_there()
    {
        var first = (await _store.WriteAsync(new("u", [Slot(1)], Etag: null))).Row!;
        var there = (await _store.WriteAsync(new("u", [Slot(2)], first.Etag))).Row!;

        foreach (var etag in new long?[] { null, first.Etag, there.Etag + 1 })
        {
            foreach (var slots in new ConnectionSlot[][] { [Slot(3)], [] })
            {
                var (isWritten, row) = await _store.WriteAsync(new("u", slots, etag));
                Assert.False(isWritten);
                Assert.Equal((there.Etag, there.Slots[0]), (row!.Etag, Assert.Single(row.Slots)));
            }
        }
    }

    [Fact]
    public async Task A_row_that_is_gone_is_not_written_back()
    {
        var row = (await _store.WriteAsync(new("u", [Slot(1)], Etag: null))).Row!;
        await _store.WriteAsync(new("u", [], row.Etag));

        Assert.Equal(default, await _store.WriteAsync(new("u", [Slot(1), Slot(2)], row.Etag)));
        Assert.Null(await _store.ReadAsync("u"));
    }

    [Fact]
    public async Task Of_two_first_writes_at_once_one_wins()
    {
        var writes = await Task.WhenAll(Enumerable.Range(0, 20).Select(
            number => _store.WriteAsync(new("u", [Slot(number)], Etag: null)).AsTask()));

        var winner = Assert.Single(writes, write => write.IsWritten);
        Assert.Equal(winner.Row!.Slots, (await _store.ReadAsync("u"))!.Slots);
    }

    [Fact]
    public async Task Many_users_are_written_at_once_and_one_who_cannot_be_written_fails_alone()
    {
        var writes = Enumerable.Range(0, 500).Select(number => _store.WriteAsync(new($"u{number}", [Slot(number)], Etag: null)).AsTask()).ToList();
        var impossible = _store.WriteAsync(new("u\0", [Slot(1)], Etag: null)).AsTask();

        Assert.All(await Task.WhenAll(writes), write => Assert.True(write.IsWritten));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => impossible);
    }

    [Fact]
    public async Task The_view_for_operators_shows_slots_under_leases_that_live()
    {
        await _store.WriteAsync(new("u", [Slot(1)], Etag: null));
        await using var command = _dataSource.CreateCommand("SELECT count(*) FROM connection_slots");

        Assert.Equal(0L, await command.ExecuteScalarAsync()); // no lease 7 is stored
    }

    private static ConnectionSlot Slot(int number) => new(
        new(number, 0, 0, [0, 0, 0, 0, 0, 0, 0, 1]), Epoch: 7, DateTimeOffset.UnixEpoch.AddSeconds(number), ConnectionTransport.LongPolling);
}
