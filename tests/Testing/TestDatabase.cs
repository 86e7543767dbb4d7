using Marketplace.Hosting.Database;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Marketplace.Testing;

/// <summary>A database of its own, with the service's schema.</summary>
public static class TestDatabase
{
    public static async Task<NpgsqlDataSource> CreateAsync()
    {
        // Statements are prepared as in the service: a prepared plan is one that lasts.
        var settings = new NpgsqlConnectionStringBuilder(await SharedPostgres.CreateDatabaseAsync())
        {
            MaxAutoPrepare = 100,
            AutoPrepareMinUsages = 2,
        };
        var dataSource = NpgsqlDataSource.Create(settings);
        await new SchemaMigrator(dataSource, TimeProvider.System, NullLogger<SchemaMigrator>.Instance).MigrateAsync();
        return dataSource;
    }
}
