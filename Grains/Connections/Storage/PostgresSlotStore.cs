using System.Text.Json;
using System.Text.Json.Serialization;
using Marketplace.Connections;
using Marketplace.Grains.Storage;
using Npgsql;
using NpgsqlTypes;

namespace Marketplace.Grains.Connections.Storage;

/// <summary>Slots in the table <c>user_slots</c>, as readable JSON, many users in one statement.</summary>
internal sealed class PostgresSlotStore : ISlotStore, IAsyncDisposable
{
    private const string Read = "SELECT user_id, etag, slots::text FROM user_slots WHERE user_id = ANY($1)";

    private const string Write = "SELECT user_id, written_etag, other_etag, other_slots FROM write_user_slots($1, $2, $3)";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    private readonly NpgsqlDataSource _dataSource;
    private readonly GroupCommit<string, SlotsRow?> _reads;
    private readonly GroupCommit<SlotsWrite, SlotsWritten> _writes;

    public PostgresSlotStore(NpgsqlDataSource dataSource)
    {
        _dataSource = dataSource;
        _reads = new(ReadBatchAsync, Sql.IsFaultOfOne);
        _writes = new(WriteBatchAsync, Sql.IsFaultOfOne);
    }

    public ValueTask<SlotsRow?> ReadAsync(string user) => _reads.ExecuteAsync(user);

    public ValueTask<SlotsWritten> WriteAsync(SlotsWrite write) => _writes.ExecuteAsync(write);

    public async ValueTask DisposeAsync()
    {
        await _reads.DisposeAsync();
        await _writes.DisposeAsync();
    }

    private async Task<IReadOnlyList<SlotsRow?>> ReadBatchAsync(IReadOnlyList<string> users)
    {
        var rows = new Dictionary<string, SlotsRow>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(
            Read,
            command => command.AddArray(users.Distinct(StringComparer.Ordinal), NpgsqlDbType.Text),
            row => rows[row.GetString(0)] = new(Parse(row.GetString(2)), row.GetInt64(1)));
        return [.. users.Select(user => rows.GetValueOrDefault(user))];
    }

    private async Task<IReadOnlyList<SlotsWritten>> WriteBatchAsync(IReadOnlyList<SlotsWrite> writes)
    {
        // Two activations of one user's counter on one silo would put it into a batch twice: only the first can win.
        var distinct = writes.DistinctBy(write => write.User, StringComparer.Ordinal)
            .ToDictionary(write => write.User, StringComparer.Ordinal);
        var results = new Dictionary<string, SlotsWritten>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(
            Write,
            command =>
            {
                command.AddArray(distinct.Values.Select(write => write.User), NpgsqlDbType.Text);
                command.AddArray(
                    distinct.Values.Select(write => write.Slots.Count > 0 ? JsonSerializer.Serialize(write.Slots, Json) : null), NpgsqlDbType.Text);
                command.AddArray(distinct.Values.Select(write => write.Etag), NpgsqlDbType.Bigint);
            },
            row =>
            {
                var user = row.GetString(0);
                results[user] = row.IsDBNull(1)
                    ? new(false, new(Parse(row.GetString(3)), row.GetInt64(2)))
                    : new(true, distinct[user].Slots is { Count: > 0 } slots ? new(slots, row.GetInt64(1)) : null);
            });
        return [.. writes.Select(write => ReferenceEquals(distinct[write.User], write) ? results.GetValueOrDefault(write.User) : default)];
    }

    private static IReadOnlyList<ConnectionSlot> Parse(string slots) => JsonSerializer.Deserialize<IReadOnlyList<ConnectionSlot>>(slots, Json)!;
}
