using Marketplace.Grains.Limits.Pools;
using Marketplace.Grains.Storage;
using Npgsql;
using NpgsqlTypes;

namespace Marketplace.Grains.Limits.Storage;

/// <summary>Buckets in the table <c>limit_buckets</c>, many in one statement.</summary>
internal sealed class PostgresBucketStore : IBucketStore, IAsyncDisposable
{
    private const string Read = """
        SELECT key, etag, true, state, now() - written_at, hand_over::text
        FROM limit_buckets WHERE key = ANY($1) AND expires_at > now()
        """;

    private const string Open = "SELECT * FROM open_limit_buckets($1, $2, $3)";

    /// <summary>A writer that saw no row (a null etag) loses to any row.</summary>
    private const string Write = """
        WITH input AS MATERIALIZED (
          SELECT * FROM unnest($1, $2, $3, $4, $5) AS input (key, state, life, etag, hand_over) ORDER BY key)
        INSERT INTO limit_buckets AS bucket (key, state, etag, previous_etag, written_at, expires_at, hand_over)
        SELECT key, state::bigint[], nextval('limit_bucket_etag'), etag, now(), now() + life, hand_over::jsonb FROM input
        ON CONFLICT (key) DO UPDATE SET
          state = excluded.state, etag = excluded.etag, previous_etag = excluded.previous_etag,
          written_at = excluded.written_at, expires_at = excluded.expires_at, hand_over = excluded.hand_over
        WHERE bucket.etag = excluded.previous_etag
        RETURNING key, etag
        """;

    private readonly NpgsqlDataSource _dataSource;
    private readonly GroupCommit<string, BucketRow?> _reads;
    private readonly GroupCommit<BucketWrite, OpenedBucket?> _opens;
    private readonly GroupCommit<BucketWrite, long?> _writes;

    public PostgresBucketStore(NpgsqlDataSource dataSource, LimitMeters? meters = null)
    {
        _dataSource = dataSource;
        _reads = new(ReadBatchAsync, Sql.IsFaultOfOne, meters?.Batches("read"));
        _opens = new(OpenBatchAsync, Sql.IsFaultOfOne, meters?.Batches("open"));
        _writes = new(WriteBatchAsync, Sql.IsFaultOfOne, meters?.Batches("write"));
    }

    public ValueTask<BucketRow?> ReadAsync(string key) => _reads.ExecuteAsync(key);

    public ValueTask<OpenedBucket?> OpenAsync(BucketWrite first) => _opens.ExecuteAsync(first);

    public ValueTask<long?> WriteAsync(BucketWrite write) => _writes.ExecuteAsync(write);

    public async ValueTask DisposeAsync()
    {
        await _reads.DisposeAsync();
        await _opens.DisposeAsync();
        await _writes.DisposeAsync();
    }

    private async Task<IReadOnlyList<BucketRow?>> ReadBatchAsync(IReadOnlyList<string> keys)
    {
        var rows = await ReadRowsAsync(Read, command => command.AddArray(keys.Distinct(StringComparer.Ordinal), NpgsqlDbType.Text));
        return [.. keys.Select(key => rows.TryGetValue(key, out var row) ? row.Existing : null)];
    }

    private async Task<IReadOnlyList<OpenedBucket?>> OpenBatchAsync(IReadOnlyList<BucketWrite> writes)
    {
        var distinct = Distinct(writes);
        var rows = await ReadRowsAsync(Open, command => AddStates(command, distinct.Values));
        return [.. writes.Select(write =>
            ReferenceEquals(distinct[write.Key], write) && rows.TryGetValue(write.Key, out var row) ? row : (OpenedBucket?)null)];
    }

    private async Task<IReadOnlyList<long?>> WriteBatchAsync(IReadOnlyList<BucketWrite> writes)
    {
        var distinct = Distinct(writes);
        var etags = new Dictionary<string, long>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(
            Write,
            command =>
            {
                AddStates(command, distinct.Values);
                command.AddArray(distinct.Values.Select(write => write.Etag), NpgsqlDbType.Bigint);
                command.AddArray(distinct.Values.Select(write => write.HandOver), NpgsqlDbType.Text);
            },
            row => etags[row.GetString(0)] = row.GetInt64(1));
        return [.. writes.Select(write =>
            ReferenceEquals(distinct[write.Key], write) && etags.TryGetValue(write.Key, out var etag) ? etag : (long?)null)];
    }

    /// <summary>Two activations of one bucket on one silo would put a key into a batch twice: only the first can win.</summary>
    private static Dictionary<string, BucketWrite> Distinct(IReadOnlyList<BucketWrite> writes) =>
        writes.DistinctBy(write => write.Key, StringComparer.Ordinal).ToDictionary(write => write.Key, StringComparer.Ordinal);

    private static void AddStates(NpgsqlCommand command, IReadOnlyCollection<BucketWrite> writes)
    {
        command.AddArray(writes.Select(write => write.Key), NpgsqlDbType.Text);
        command.AddArray(writes.Select(write => $"{{{string.Join(',', write.State.ToNumbers())}}}"), NpgsqlDbType.Text);
        command.AddArray(writes.Select(write => write.Life), NpgsqlDbType.Interval);
    }

    private async Task<Dictionary<string, OpenedBucket>> ReadRowsAsync(string sql, Action<NpgsqlCommand> addParameters)
    {
        var rows = new Dictionary<string, OpenedBucket>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(sql, addParameters, row =>
        {
            var etag = row.GetInt64(1);
            rows[row.GetString(0)] = new(etag, row.GetBoolean(2)
                ? new(StoredPermits.FromNumbers(row.GetFieldValue<long[]>(3)), row.GetTimeSpan(4), etag, row.IsDBNull(5) ? null : row.GetString(5))
                : null);
        });
        return rows;
    }
}
