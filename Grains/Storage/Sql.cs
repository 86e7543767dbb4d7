using Npgsql;
using NpgsqlTypes;

namespace Marketplace.Grains.Storage;

/// <summary>Statements with positional parameters ($1, $2, …), the form that Npgsql prepares as it stands.</summary>
internal static class Sql
{
    /// <summary>A command on a connection; a null value is SQL's NULL.</summary>
    public static NpgsqlCommand Command(this NpgsqlConnection connection, string sql, params ReadOnlySpan<object?> values)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
        {
            command.Parameters.Add(new() { Value = value ?? DBNull.Value });
        }

        return command;
    }

    /// <summary>Runs a statement and returns how many rows it touched.</summary>
    public static Task<int> ExecuteAsync(this NpgsqlConnection connection, string sql, params ReadOnlySpan<object?> values) =>
        ExecuteAndDisposeAsync(connection.Command(sql, values));

    /// <summary>
    /// Runs a statement that does the work of many callers, and hands over its rows one by one. It is prepared by name: of one that
    /// Npgsql prepares by itself it loses track when the execution that prepares it fails for its data, and the next one breaks the connection.
    /// </summary>
    /// <param name="dataSource">Where.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="addParameters">Adds its parameters.</param>
    /// <param name="take">Reads a row.</param>
    public static async Task ReadEachAsync(
        this NpgsqlDataSource dataSource, string sql, Action<NpgsqlCommand> addParameters, Action<NpgsqlDataReader> take)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        addParameters(command);
        await command.PrepareAsync();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            take(reader);
        }
    }

    /// <summary>Adds an array as the next parameter, as statements take that do the work of many callers.</summary>
    public static void AddArray<T>(this NpgsqlCommand command, IEnumerable<T> values, NpgsqlDbType elementType) =>
        command.Parameters.Add(new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | elementType });

    /// <summary>Whether PostgreSQL refused a statement for its data, rather than that a connection failed.</summary>
    public static bool IsFaultOfOne(Exception error) => error is PostgresException { IsTransient: false } postgres
        && !postgres.SqlState.StartsWith("57", StringComparison.Ordinal);

    private static async Task<int> ExecuteAndDisposeAsync(NpgsqlCommand command)
    {
        await using (command)
        {
            return await command.ExecuteNonQueryAsync();
        }
    }
}
