using System.Collections.Concurrent;
using Grains.Tests.Realtime;
using Marketplace.Hosting;
using Marketplace.Hosting.Database;
using Marketplace.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Grains.Tests.Database;

public sealed class SchemaMigratorTests
{
    [Fact]
    public async Task Five_starters_on_an_empty_database_all_succeed_and_apply_each_migration_once()
    {
        for (var round = 0; round < 5; round++)
        {
            var connectionString = await SharedPostgres.CreateDatabaseAsync();
            await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(async () =>
            {
                await using var starter = NpgsqlDataSource.Create(connectionString);
                await Migrator(starter).MigrateAsync();
            })));

            await using var dataSource = NpgsqlDataSource.Create(connectionString);
            await using var repeated = dataSource.CreateCommand(
                "SELECT count(*) - count(DISTINCT scriptname) FROM schema_migrations");
            Assert.Equal(0L, await repeated.ExecuteScalarAsync());
        }
    }

    [Fact]
    public async Task A_schema_newer_than_the_program_is_refused_with_both_versions()
    {
        await using var dataSource = await TestDatabase.CreateAsync();
        await using var newer = dataSource.CreateCommand(
            "INSERT INTO schema_migrations (scriptname, applied) VALUES ('9999_future.sql', now())");
        await newer.ExecuteNonQueryAsync();

        var error = await Assert.ThrowsAsync<StartupException>(() => Migrator(dataSource).MigrateAsync());

        Assert.Contains("9999_future.sql", error.Message, StringComparison.Ordinal);
        Assert.Contains("newer", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_finds_nothing_to_do_does_not_wait_for_one_that_holds_the_lock()
    {
        await using var dataSource = await TestDatabase.CreateAsync();
        await using var holder = await HoldLockAsync(dataSource);

        await Migrator(dataSource).MigrateAsync().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
    }

    [Fact]
    public async Task A_process_that_waits_for_the_lock_says_who_holds_it()
    {
        var settings = new NpgsqlConnectionStringBuilder(await SharedPostgres.CreateDatabaseAsync()) { ApplicationName = "a silo that hangs" };
        await using var dataSource = NpgsqlDataSource.Create(settings);
        await using var another = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false });
        var holder = await HoldLockAsync(another);
        var said = new Said();

        var migrating = new SchemaMigrator(dataSource, TimeProvider.System, said).MigrateAsync();
        await Eventually.TrueAsync(() => !said.IsEmpty);

        Assert.Contains($"process {holder.ProcessID} (a silo that hangs)", said.First(), StringComparison.Ordinal);
        Assert.False(migrating.IsCompleted);
        await holder.DisposeAsync();
        await migrating.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System);
    }

    /// <summary>As another process does that migrates and doesn't come to an end.</summary>
    private static async Task<NpgsqlConnection> HoldLockAsync(NpgsqlDataSource dataSource)
    {
        var connection = await dataSource.OpenConnectionAsync();
        await using var command = new NpgsqlCommand($"SELECT pg_advisory_lock({SchemaMigrator.AdvisoryLock})", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    private static SchemaMigrator Migrator(NpgsqlDataSource dataSource) => new(dataSource, TimeProvider.System, NullLogger<SchemaMigrator>.Instance);

    /// <summary>The warnings that were logged.</summary>
    private sealed class Said : ConcurrentQueue<string>, ILogger<SchemaMigrator>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Enqueue(formatter(state, exception));
            }
        }
    }
}
