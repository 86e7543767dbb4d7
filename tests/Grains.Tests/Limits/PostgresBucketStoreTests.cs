using Marketplace.Grains.Limits.Storage;
using Npgsql;

namespace Grains.Tests.Limits;

public sealed class PostgresBucketStoreTests : IAsyncLifetime
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private NpgsqlDataSource _dataSource = null!;
    private PostgresBucketStore _store = null!;

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
    public async Task What_was_written_is_read()
    {
        var etag = await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, Etag: null));

        var row = await _store.ReadAsync("p|a");

        Assert.Equal((10, etag), (row!.Value.Reserved, row.Value.Etag));
        Assert.InRange(row.Value.Remaining, Minute - TimeSpan.FromSeconds(30), Minute);
        Assert.Null(await _store.ReadAsync("p|b"));
    }

    [Fact]
    public async Task Of_two_first_writes_one_wins_a_thousand_times()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i =>
        {
            await using var other = new PostgresBucketStore(_dataSource);
            var write = new BucketWrite($"p|{i}", Opens: true, 10, Minute, Etag: null);
            return await Task.WhenAll(_store.WriteAsync(write).AsTask(), other.WriteAsync(write).AsTask());
        }));

        Assert.All(outcomes, pair => Assert.Single(pair, etag => etag is not null));
    }

    [Fact]
    public async Task A_writer_that_was_overtaken_is_refused()
    {
        var first = await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, Etag: null));
        await _store.WriteAsync(new("p|a", Opens: false, 20, Minute, first));

        Assert.Null(await _store.WriteAsync(new("p|a", Opens: false, 30, Minute, first)));
        Assert.Null(await _store.WriteAsync(new("p|a", Opens: true, 30, Minute, first)));
        Assert.Equal(20, (await _store.ReadAsync("p|a"))!.Value.Reserved);
    }

    [Fact]
    public async Task Extending_a_reservation_leaves_the_end_of_the_window_alone()
    {
        var first = await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, Etag: null));
        await _store.WriteAsync(new("p|a", Opens: false, 20, TimeSpan.FromHours(1), first));

        Assert.InRange((await _store.ReadAsync("p|a"))!.Value.Remaining, TimeSpan.Zero, Minute);
    }

    [Fact]
    public async Task Extending_a_row_that_was_swept_is_refused_and_opening_is_not()
    {
        var etag = await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, Etag: null));
        await ExecuteAsync("DELETE FROM limit_buckets");

        Assert.Null(await _store.WriteAsync(new("p|a", Opens: false, 20, Minute, etag)));
        Assert.NotNull(await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, etag)));
    }

    [Fact]
    public async Task A_member_of_a_batch_that_fails_fails_alone()
    {
        var good = Enumerable.Range(0, 50).Select(i => _store.WriteAsync(new($"p|{i}", Opens: true, 10, Minute, null)).AsTask());
        var bad = _store.WriteAsync(new("p|\0", Opens: true, 10, Minute, null)).AsTask();

        Assert.All(await Task.WhenAll(good), etag => Assert.NotNull(etag));
        await Assert.ThrowsAnyAsync<PostgresException>(() => bad);
    }

    [Fact]
    public async Task A_database_that_is_away_fails_the_write_and_the_store_recovers()
    {
        await ExecuteAsync("ALTER TABLE limit_buckets RENAME TO away");
        await Assert.ThrowsAnyAsync<NpgsqlException>(async () => await _store.WriteAsync(new("p|a", true, 10, Minute, null)));
        await ExecuteAsync("ALTER TABLE away RENAME TO limit_buckets");

        Assert.NotNull(await _store.WriteAsync(new("p|a", Opens: true, 10, Minute, null)));
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
