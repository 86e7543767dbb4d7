using Marketplace.Hosting;
using Marketplace.Hosting.Database;
using Marketplace.Testing;
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

    private static SchemaMigrator Migrator(NpgsqlDataSource dataSource) => new(dataSource, NullLogger<SchemaMigrator>.Instance);
}
