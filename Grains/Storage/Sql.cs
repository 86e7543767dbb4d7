using Npgsql;

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
