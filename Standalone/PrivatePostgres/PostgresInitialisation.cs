using Marketplace.Hosting;
using Npgsql;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>What is done once for a private server: its files, the service's role and its database.</summary>
internal static class PostgresInitialisation
{
    public const string Superuser = "postgres";

    /// <summary>Runs initdb. Interrupted at any point, it is done again from the start.</summary>
    public static async Task MakeDataAsync(
        PostgresDirectory directory, PostgresBinaries binaries, PostgresTuning tuning, CancellationToken cancellationToken)
    {
        foreach (var locale in new[] { "C.UTF-8", "C" })
        {
            await directory.MakeNewDataAsync(cancellationToken);
            var result = await Command.RunAsync(
                directory.Account.Wrap(
                [
                    binaries["initdb"],
                    "--pgdata", directory.NewData,
                    "--username", Superuser,
                    "--pwfile", directory.PasswordFile,
                    "--auth", "scram-sha-256",
                    "--encoding", "UTF8",
                    "--locale", locale,
                    "--data-checksums",
                    .. tuning.SyncsToDisk ? Array.Empty<string>() : ["--no-sync"],
                ]),
                cancellationToken);
            if (result.Succeeded)
            {
                if (Directory.Exists(directory.Data))
                {
                    Directory.Delete(directory.Data); // only if empty: what is in there is not ours to throw away
                }

                Directory.Move(directory.NewData, directory.Data);
                return;
            }

            if (locale == "C" || !result.Error.Contains("locale", StringComparison.Ordinal))
            {
                throw new StartupException($"initdb could not make PostgreSQL's data in {directory.Home}: {result.Reason}");
            }
        }
    }

    /// <summary>Makes the role and its database unless they are there, as after a kill -9 half-way.</summary>
    public static async Task MakeRoleAndDatabaseAsync(string superuser, string role, string password, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(superuser) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $1)", connection)
        {
            Parameters = { new() { Value = role } },
        };
        bool hasRole, hasDatabase;
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            await reader.ReadAsync(cancellationToken);
            (hasRole, hasDatabase) = (reader.GetBoolean(0), reader.GetBoolean(1));
        }

        if (!hasRole)
        {
            // Neither statement takes parameters; the password is our own hexadecimal digits.
            await ExecuteAsync($"CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{password}'");
        }

        if (!hasDatabase)
        {
            await ExecuteAsync($"CREATE DATABASE {role} OWNER {role}");
        }

        async Task ExecuteAsync(string sql)
        {
            await using var statement = new NpgsqlCommand(sql, connection);
            await statement.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
