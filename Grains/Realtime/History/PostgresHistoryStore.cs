using System.Text;
using Marketplace.Grains.Storage;
using Npgsql;
using NpgsqlTypes;

namespace Marketplace.Grains.Realtime.History;

/// <summary>Channels in the tables <c>channels</c> and <c>channel_messages</c>, many appends in one statement.</summary>
internal sealed class PostgresHistoryStore : IHistoryStore, IAsyncDisposable
{
    private const string Find = "SELECT name, epoch, first_number, last_number, bytes FROM channels WHERE name = ANY($1)";

    /// <summary>In the order of the names, so that two silos can't wait for each other.</summary>
    private const string Make = "INSERT INTO channels (name) SELECT name FROM unnest($1) AS input (name) ORDER BY name ON CONFLICT DO NOTHING";

    private const string Append = "SELECT channel, message_id, number FROM append_channel_messages($1, $2, $3, $4, $5, $6, $7)";

    private const string Trim = "SELECT first_number, last_number, bytes FROM trim_channel($1, $2, $3)";

    /// <summary>At least one message, then as many as fit.</summary>
    private const string Read = """
        SELECT number, method, arguments FROM (
          SELECT number, method, arguments::text AS arguments,
            sum(octet_length(arguments::text)) OVER (ORDER BY number) - octet_length(arguments::text) AS bytes_before
          FROM (
            SELECT * FROM channel_messages
            WHERE channel = $1 AND number > $2 AND EXISTS (SELECT FROM channels WHERE name = $1 AND epoch = $5)
            ORDER BY number LIMIT $3) AS page) AS sized
        WHERE bytes_before < $4 ORDER BY number
        """;

    private readonly NpgsqlDataSource _dataSource;
    private readonly GroupCommit<string, KeptChannel?> _finds;
    private readonly GroupCommit<string, KeptChannel?> _opens;
    private readonly GroupCommit<HistoryAppend, IReadOnlyDictionary<string, long>?> _appends;

    public PostgresHistoryStore(NpgsqlDataSource dataSource)
    {
        _dataSource = dataSource;
        _finds = new(FindBatchAsync, Sql.IsFaultOfOne);
        _opens = new(OpenBatchAsync, Sql.IsFaultOfOne);
        _appends = new(AppendBatchAsync, Sql.IsFaultOfOne);
    }

    public ValueTask<KeptChannel?> FindAsync(string channel) => _finds.ExecuteAsync(channel);

    public async ValueTask<KeptChannel> OpenAsync(string channel) =>
        await _opens.ExecuteAsync(channel) ?? throw new InvalidOperationException($"Channel {channel} was deleted as it was made.");

    public ValueTask<IReadOnlyDictionary<string, long>?> AppendAsync(HistoryAppend append) => _appends.ExecuteAsync(append);

    public async ValueTask<IReadOnlyList<KeptMessage>> ReadAsync(string channel, long epoch, long after)
    {
        await using var command = _dataSource.CreateCommand(Read);
        command.Parameters.Add(new() { Value = channel });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = HistoryLimits.PageMessagesMax });
        command.Parameters.Add(new() { Value = (long)HistoryLimits.PageBytesMax });
        command.Parameters.Add(new() { Value = epoch });
        var messages = new List<KeptMessage>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            messages.Add(new(reader.GetInt64(0), new(reader.GetString(1), Encoding.UTF8.GetBytes(reader.GetString(2)))));
        }

        return messages;
    }

    public async ValueTask<KeptChannel?> TrimAsync(string channel, long messagesMax, long bytesMax)
    {
        await using var command = _dataSource.CreateCommand(Trim);
        command.Parameters.Add(new() { Value = channel });
        command.Parameters.Add(new() { Value = messagesMax });
        command.Parameters.Add(new() { Value = bytesMax });
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? new(0, reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2)) : null;
    }

    public async ValueTask DisposeAsync()
    {
        await _finds.DisposeAsync();
        await _opens.DisposeAsync();
        await _appends.DisposeAsync();
    }

    private async Task<IReadOnlyList<KeptChannel?>> OpenBatchAsync(IReadOnlyList<string> channels)
    {
        await _dataSource.ReadEachAsync(
            Make, command => command.AddArray(channels.Distinct(StringComparer.Ordinal), NpgsqlDbType.Text), static _ => { });
        return await FindBatchAsync(channels);
    }

    private async Task<IReadOnlyList<KeptChannel?>> FindBatchAsync(IReadOnlyList<string> channels)
    {
        var rows = new Dictionary<string, KeptChannel>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(
            Find,
            command => command.AddArray(channels.Distinct(StringComparer.Ordinal), NpgsqlDbType.Text),
            row => rows[row.GetString(0)] = new(row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4)));
        return [.. channels.Select(channel => rows.GetValueOrDefault(channel))];
    }

    private async Task<IReadOnlyList<IReadOnlyDictionary<string, long>?>> AppendBatchAsync(IReadOnlyList<HistoryAppend> appends)
    {
        // Two activations of one channel on one silo would put it into a batch twice: only the first can win.
        var distinct = appends.DistinctBy(append => append.Channel, StringComparer.Ordinal)
            .ToDictionary(append => append.Channel, StringComparer.Ordinal);
        var items = distinct.Values.SelectMany(append => append.Items.Select(item => (append.Channel, Item: item))).ToList();
        var numbers = new Dictionary<string, Dictionary<string, long>>(StringComparer.Ordinal);
        await _dataSource.ReadEachAsync(
            Append,
            command =>
            {
                command.AddArray(distinct.Values.Select(append => append.Channel), NpgsqlDbType.Text);
                command.AddArray(distinct.Values.Select(append => append.Epoch), NpgsqlDbType.Bigint);
                command.AddArray(distinct.Values.Select(append => append.LastNumber), NpgsqlDbType.Bigint);
                command.AddArray(items.Select(item => item.Channel), NpgsqlDbType.Text);
                command.AddArray(items.Select(item => item.Item.Id), NpgsqlDbType.Text);
                command.AddArray(items.Select(item => item.Item.Message.Method), NpgsqlDbType.Text);
                command.AddArray(items.Select(item => Encoding.UTF8.GetString(item.Item.Message.Arguments.Span)), NpgsqlDbType.Text);
            },
            row =>
            {
                var channel = row.GetString(0);
                if (!numbers.TryGetValue(channel, out var ofChannel))
                {
                    numbers[channel] = ofChannel = new(StringComparer.Ordinal);
                }

                ofChannel[row.GetString(1)] = row.GetInt64(2);
            });
        return [.. appends.Select(append => ReferenceEquals(distinct[append.Channel], append)
            ? numbers.GetValueOrDefault(append.Channel) : null)];
    }
}
