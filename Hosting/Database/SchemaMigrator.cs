using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Marketplace.Hosting.Database;

/// <summary>
/// Applies the numbered scripts of <c>sql/</c> that the database hasn't seen, each in a transaction of its own. Any number
/// of processes may start at once: an advisory lock lets one of them work while the others wait and then find it done.
/// </summary>
public sealed partial class SchemaMigrator(NpgsqlDataSource dataSource, TimeProvider clock, ILogger<SchemaMigrator> logger)
{
    /// <summary>Any constant would do; all processes of the service must share it.</summary>
    public const long AdvisoryLock = 0x4D61726B6574; // "Market"

    private const string JournalSchema = "public";
    private const string JournalTable = "schema_migrations";

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private const int PollsPerLine = 10;

    /// <summary>Brings the schema up to date. Where nothing is to be done, nobody is waited for.</summary>
    /// <exception cref="StartupException">The schema is newer than this program, or a script failed.</exception>
    /// <exception cref="NpgsqlException">PostgreSQL can't be reached or refuses the connection.</exception>
    public async Task MigrateAsync(CancellationToken cancellationToken = default)
    {
        var engine = Engine();
        if (!IsBehind(engine))
        {
            return;
        }

        // The lock belongs to the connection, so it ends with the process even if that is killed in here.
        await using var guard = await dataSource.OpenConnectionAsync(cancellationToken);
        for (var polls = 1; !await TryLockAsync(guard, cancellationToken); polls++)
        {
            if (polls % PollsPerLine == 0)
            {
                LogWaiting(await HolderAsync(guard, cancellationToken));
            }

            await Task.Delay(PollInterval, clock, cancellationToken);
        }

        try
        {
            if (IsBehind(engine))
            {
                Apply(engine);
            }
        }
        finally
        {
            await using var unlock = new NpgsqlCommand($"SELECT pg_advisory_unlock({AdvisoryLock})", guard);
            await unlock.ExecuteNonQueryAsync(CancellationToken.None);
        }
    }

    /// <summary>DbUp opens its own connections: it is given the data source's, whose password is in no public connection string.</summary>
    private UpgradeEngine Engine() => DeployChanges.To
        .PostgresqlDatabase(new DbUp.Postgresql.PostgresqlConnectionManager(dataSource))
        .JournalToPostgresqlTable(JournalSchema, JournalTable)
        .WithScriptsEmbeddedInAssembly(typeof(SchemaMigrator).Assembly, name => name.EndsWith(".sql", StringComparison.Ordinal))
        .WithTransactionPerScript()
        .WithVariablesDisabled()
        .WithExecutionTimeout(TimeSpan.FromMinutes(10))
        .LogTo(new LogAdapter(logger))
        .Build();

    private static bool IsBehind(UpgradeEngine engine)
    {
        var known = engine.GetDiscoveredScripts().Select(script => script.Name).ToHashSet(StringComparer.Ordinal);
        var executed = engine.GetExecutedScripts().ToHashSet(StringComparer.Ordinal);
        return executed.Where(name => !known.Contains(name)).Order(StringComparer.Ordinal).LastOrDefault() is { } newer
            ? throw new StartupException(
                $"The database's schema is newer than this program: it holds {newer}, this program knows up to "
                + $"{known.Max(StringComparer.Ordinal)}. Start the newer version.")
            : !known.IsSubsetOf(executed);
    }

    private void Apply(UpgradeEngine engine)
    {
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

    private static async Task<bool> TryLockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT pg_try_advisory_lock({AdvisoryLock})", connection);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<string> HolderAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A key of 64 bits is listed as its two halves, and as such by objsubid 1.
        await using var command = new NpgsqlCommand(
            $"""
            SELECT format('process %s (%s)', pid, coalesce(application_name, 'unnamed')) FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND classid = {AdvisoryLock >> 32} AND objid = {AdvisoryLock & uint.MaxValue} AND objsubid = 1
            """,
            connection);
        return await command.ExecuteScalarAsync(cancellationToken) as string ?? "one that has just ended";
    }

    [LoggerMessage(LogLevel.Information, "Applied {Script}")]
    private partial void LogApplied(string script);

    [LoggerMessage(LogLevel.Warning, "The schema is to be migrated, and PostgreSQL's {Holder} holds the lock for that; waiting")]
    private partial void LogWaiting(string holder);

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
