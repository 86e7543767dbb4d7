using Marketplace.Grains.Limits.Storage;
using Marketplace.Testing;
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
        var etag = await _store.WriteAsync(Row("p|a", 10));

        var row = await _store.ReadAsync("p|a");

        Assert.Equal((10, etag), (row!.State.Held, row.Etag));
        Assert.Equal(Minute, row.State.Parts[0].EndsIn);
        Assert.InRange(row.Age, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.Null(await _store.ReadAsync("p|b"));
    }

    [Fact]
    public async Task Opening_writes_the_first_row_or_answers_with_the_one_that_is_there()
    {
        var first = await _store.OpenAsync(Row("p|a", 10));
        var second = await _store.OpenAsync(Row("p|a", 20));

        Assert.Null(first!.Value.Existing);
        Assert.Equal((first.Value.Etag, 10), (second!.Value.Etag, second.Value.Existing!.State.Held));
        Assert.NotNull(await _store.WriteAsync(Row("p|a", 30, second.Value.Etag)));
    }

    [Fact]
    public async Task Opening_takes_the_place_of_a_row_that_no_longer_matters()
    {
        await _store.WriteAsync(Row("p|a", 10) with { Life = TimeSpan.Zero });

        Assert.Null((await _store.OpenAsync(Row("p|a", 20)))!.Value.Existing);
    }

    [Fact]
    public async Task Opening_reads_no_rows_but_those_it_opens_although_the_table_was_empty_when_it_was_planned()
    {
        const int Others = 20_000;
        for (var i = 0; i < 20; i++)
        {
            await _store.OpenAsync(Row($"p|before-{i}", 1));
        }

        await using (var flood = _dataSource.CreateCommand($$"""
            INSERT INTO limit_buckets (key, etag, state, written_at, expires_at)
            SELECT 'p|other-' || n, 1, '{1}', now(), now() + interval '1 hour' FROM generate_series(1, {{Others}}) n
            """))
        {
            await flood.ExecuteNonQueryAsync();
        }

        for (var i = 0; i < 10; i++)
        {
            await _store.OpenAsync(Row($"p|after-{i}", 1));
        }

        Assert.InRange(await RowsReadAsync(inserted: 20 + Others + 10), 0, Others / 2);
    }

    [Fact]
    public async Task A_hand_over_is_taken_once()
    {
        var etag = await _store.WriteAsync(Row("p|a", 10) with { HandOver = """{"holders": 1}""" });

        var opened = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            await using var other = new PostgresBucketStore(_dataSource);
            return await other.OpenAsync(Row("p|a", 1));
        }));

        var taken = Assert.Single(opened, one => one?.Existing?.HandOver is not null);
        Assert.NotEqual(etag, taken!.Value.Etag);
        Assert.Null(await _store.WriteAsync(Row("p|a", 11, etag))); // who handed over is fenced off
        Assert.NotNull(await _store.WriteAsync(Row("p|a", 11, taken.Value.Etag)));
    }

    [Fact]
    public async Task Of_two_first_writes_one_wins_a_thousand_times()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i =>
        {
            await using var other = new PostgresBucketStore(_dataSource);
            var write = Row($"p|{i}", 10);
            return await Task.WhenAll(_store.OpenAsync(write).AsTask(), other.OpenAsync(write).AsTask());
        }));

        Assert.All(outcomes, pair => Assert.Single(pair, opened => opened is { Existing: null }));
    }

    [Fact]
    public async Task A_writer_that_was_overtaken_is_refused()
    {
        var first = await _store.WriteAsync(Row("p|a", 10));
        await _store.WriteAsync(Row("p|a", 20, first));

        Assert.Null(await _store.WriteAsync(Row("p|a", 30, first)));
        Assert.Equal(20, (await _store.ReadAsync("p|a"))!.State.Held);
    }

    [Fact]
    public async Task A_row_that_was_swept_may_be_written_again()
    {
        var etag = await _store.WriteAsync(Row("p|a", 10));
        await ExecuteAsync("DELETE FROM limit_buckets");

        Assert.NotNull(await _store.WriteAsync(Row("p|a", 20, etag)));
    }

    [Fact]
    public async Task A_member_of_a_batch_that_fails_fails_alone()
    {
        var good = Enumerable.Range(0, 50).Select(i => _store.OpenAsync(Row($"p|{i}", 10)).AsTask());
        var bad = _store.OpenAsync(Row("p|\0", 10)).AsTask();

        Assert.All(await Task.WhenAll(good), opened => Assert.NotNull(opened));
        await Assert.ThrowsAnyAsync<PostgresException>(() => bad);
    }

    [Fact]
    public async Task A_write_that_fails_for_its_data_leaves_its_connection_fit_whenever_it_comes()
    {
        for (var before = 0; before < 4; before++)
        {
            _dataSource.Clear(); // so that statements are as new to the connection as they are here
            for (var i = 0; i < before; i++)
            {
                await _store.OpenAsync(Row($"p|{before}-{i}", 10));
            }

            await Assert.ThrowsAnyAsync<PostgresException>(() => _store.OpenAsync(Row("p|\0", 10)).AsTask());
            for (var i = 0; i < 4; i++)
            {
                Assert.NotNull(await _store.OpenAsync(Row($"p|{before}+{i}", 10)));
            }
        }
    }

    [Fact]
    public async Task A_database_that_is_away_fails_the_write_and_the_store_recovers()
    {
        await ExecuteAsync("ALTER TABLE limit_buckets RENAME TO away");
        await Assert.ThrowsAnyAsync<NpgsqlException>(async () => await _store.WriteAsync(Row("p|a", 10)));
        await ExecuteAsync("ALTER TABLE away RENAME TO limit_buckets");

        Assert.NotNull(await _store.WriteAsync(Row("p|a", 10)));
    }

    /// <summary>Rows of the table that anybody has looked at so far, once PostgreSQL knows of as many that were inserted.</summary>
    private async Task<long> RowsReadAsync(long inserted)
    {
        _dataSource.Clear(); // backends tell what they have read when they end
        while (true)
        {
            await using var command = _dataSource.CreateCommand(
                "SELECT n_tup_ins, seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'limit_buckets'");
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            if (await reader.ReadAsync(TestContext.Current.CancellationToken) && reader.GetInt64(0) >= inserted)
            {
                return reader.GetInt64(1);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    private static BucketWrite Row(string key, int permits, long? etag = null) => new(key, new([(Minute, permits)]), Minute, etag);

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _dataSource.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
