using DbUp;
using DbUp.Engine.Output;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Marketplace.Hosting.Database;

/// <summary>
/// Applies the numbered scripts of <c>sql/</c> that the database hasn't seen, each in a transaction of its own. Any number
/// of processes may start at once: an advisory lock lets one of them work while the others wait and then find it done.
/// </summary>
public sealed partial class SchemaMigrator(NpgsqlDataSource dataSource, ILogger<SchemaMigrator> logger)
{
    /// <summary>Any constant would do; all processes of the service must share it.</summary>
    private const long AdvisoryLock = 0x4D61726B6574; // "Market"

    private const string JournalSchema = "public";
    private const string JournalTable = "schema_migrations";

    /// <summary>Brings the schema up to date.</summary>
    /// <exception cref="StartupException">The schema is newer than this program, or a script failed.</exception>
    /// <exception cref="NpgsqlException">PostgreSQL can't be reached or refuses the connection.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken = default)
    {
        // The lock belongs to the connection, so it ends with the process even if that is killed in here.
        await using var guard = await dataSource.OpenConnectionAsync(cancellationToken);
        await ExecuteAsync(guard, $"SELECT pg_advisory_lock({AdvisoryLock})", cancellationToken);
        try
        {
            Apply();
        }
        finally
        {
            await ExecuteAsync(guard, $"SELECT pg_advisory_unlock({AdvisoryLock})", CancellationToken.None);
        }
    }

    private void Apply()
    {
        // DbUp opens its own connections: give it the data source's, whose password is in no public connection string.
        var engine = DeployChanges.To
            .PostgresqlDatabase(new DbUp.Postgresql.PostgresqlConnectionManager(dataSource))
            .JournalToPostgresqlTable(JournalSchema, JournalTable)
            .WithScriptsEmbeddedInAssembly(typeof(SchemaMigrator).Assembly, name => name.EndsWith(".sql", StringComparison.Ordinal))
            .WithTransactionPerScript()
            .WithVariablesDisabled()
            .WithExecutionTimeout(TimeSpan.FromMinutes(10))
            .LogTo(new LogAdapter(logger))
            .Build();

        var known = engine.GetDiscoveredScripts().Select(script => script.Name).ToHashSet(StringComparer.Ordinal);
        if (engine.GetExecutedScripts().Where(name => !known.Contains(name)).Order(StringComparer.Ordinal).LastOrDefault() is { } newer)
        {
            throw new StartupException(
                $"The database's schema is newer than this program: it holds {newer}, this program knows up to "
                + $"{known.Max(StringComparer.Ordinal)}. Start the newer version.");
        }

        var result = engine.PerformUpgrade();
        if (!result.Successful)
        {
            throw result.Error is NpgsqlException { IsTransient: true } transient
                ? transient
                : new StartupException($"Migration {result.ErrorScript?.Name} failed: {result.Error.Message}");
        }

        foreach (var script in result.Scripts)
        {
            LogApplied(script.Name);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Information, "Applied {Script}")]
    private partial void LogApplied(string script);

    /// <summary>DbUp narrates every step; only its complaints are worth a line of ours.</summary>
    private sealed class LogAdapter(ILogger logger) : IUpgradeLog
    {
#pragma warning disable CA1848, CA2254 // the texts are DbUp's
        public void LogTrace(string format, params object[] args)
        {
        }

        public void LogDebug(string format, params object[] args)
        {
        }

        public void LogInformation(string format, params object[] args) => logger.LogDebug(format, args);

        public void LogWarning(string format, params object[] args) => logger.LogWarning(format, args);

        public void LogError(string format, params object[] args) => logger.LogError(format, args);

        public void LogError(Exception ex, string format, params object[] args) => logger.LogError(ex, format, args);
#pragma warning restore CA1848, CA2254
    }
}
