using Npgsql;
using NpgsqlTypes;

namespace Marketplace.Grains.Limits.Storage;

/// <summary>Buckets in the table <c>limit_buckets</c>, many in one statement.</summary>
internal sealed class PostgresBucketStore : IBucketStore, IAsyncDisposable
{
    private const string Read = """
        SELECT key, reserved, expires_at - now(), etag FROM limit_buckets WHERE key = ANY($1)
        """;

    /// <summary>
    /// Rows are locked in the order of their keys, so that two silos with overlapping batches can't deadlock. A writer that
    /// saw no row (a null etag) loses to any row; one that doesn't open a window needs its row to be there.
    /// </summary>
    private const string Write = """
        WITH input AS MATERIALIZED (
          SELECT * FROM unnest($1, $2, $3, $4, $5) AS input (key, opens, reserved, remaining, etag) ORDER BY key),
        opened AS (
          INSERT INTO limit_buckets AS bucket (key, reserved, etag, previous_etag, expires_at)
          SELECT key, reserved, nextval('limit_bucket_etag'), etag, now() + remaining FROM input WHERE opens
          ON CONFLICT (key) DO UPDATE SET
            reserved = excluded.reserved, etag = excluded.etag, previous_etag = excluded.previous_etag,
            expires_at = excluded.expires_at
          WHERE bucket.etag = excluded.previous_etag
          RETURNING key, etag),
        extended AS (
          UPDATE limit_buckets bucket
          SET reserved = input.reserved, etag = nextval('limit_bucket_etag'), previous_etag = input.etag
          FROM input
          WHERE NOT input.opens AND bucket.key = input.key AND bucket.etag = input.etag
          RETURNING bucket.key, bucket.etag)
        SELECT key, etag FROM opened UNION ALL SELECT key, etag FROM extended
        """;

    private readonly NpgsqlDataSource _dataSource;
    private readonly GroupCommit<string, BucketRow?> _reads;
    private readonly GroupCommit<BucketWrite, long?> _writes;

    public PostgresBucketStore(NpgsqlDataSource dataSource)
    {
        _dataSource = dataSource;
        _reads = new(ReadBatchAsync, IsFaultOfOne);
        _writes = new(WriteBatchAsync, IsFaultOfOne);
    }

    public ValueTask<BucketRow?> ReadAsync(string key) => _reads.ExecuteAsync(key);

    public ValueTask<long?> WriteAsync(BucketWrite write) => _writes.ExecuteAsync(write);

    public async ValueTask DisposeAsync()
    {
        await _reads.DisposeAsync();
        await _writes.DisposeAsync();
    }

    private async Task<IReadOnlyList<BucketRow?>> ReadBatchAsync(IReadOnlyList<string> keys)
    {
        var rows = new Dictionary<string, BucketRow>(StringComparer.Ordinal);
        await using var command = _dataSource.CreateCommand(Read);
        command.Parameters.Add(new() { Value = keys.Distinct(StringComparer.Ordinal).ToArray() });
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            rows[reader.GetString(0)] = new(reader.GetInt32(1), reader.GetTimeSpan(2), reader.GetInt64(3));
        }

        return [.. keys.Select(key => rows.TryGetValue(key, out var row) ? row : (BucketRow?)null)];
    }

    private async Task<IReadOnlyList<long?>> WriteBatchAsync(IReadOnlyList<BucketWrite> writes)
    {
        // Two activations of one bucket on one silo would put a key into a batch twice: only the first can win.
        var distinct = writes.DistinctBy(write => write.Key, StringComparer.Ordinal).ToList();
        var etags = new Dictionary<string, long>(StringComparer.Ordinal);
        await using var command = _dataSource.CreateCommand(Write);
        Add(distinct.Select(write => write.Key), NpgsqlDbType.Text);
        Add(distinct.Select(write => write.Opens), NpgsqlDbType.Boolean);
        Add(distinct.Select(write => write.Reserved), NpgsqlDbType.Integer);
        Add(distinct.Select(write => write.Remaining), NpgsqlDbType.Interval);
        Add(distinct.Select(write => write.Etag), NpgsqlDbType.Bigint);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            etags[reader.GetString(0)] = reader.GetInt64(1);
        }

        var winners = distinct.ToDictionary(write => write.Key, StringComparer.Ordinal);
        return [.. writes.Select(write =>
            winners[write.Key] == write && etags.TryGetValue(write.Key, out var etag) ? etag : (long?)null)];

        void Add<T>(IEnumerable<T> values, NpgsqlDbType type) =>
            command.Parameters.Add(new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type });
    }

    /// <summary>A statement that PostgreSQL refused for its data, rather than a connection that failed.</summary>
    private static bool IsFaultOfOne(Exception error) => error is PostgresException { IsTransient: false } postgres
        && !postgres.SqlState.StartsWith("57", StringComparison.Ordinal);
}
