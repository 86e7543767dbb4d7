using Marketplace.Hosting.Database;
using Marketplace.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Grains.Tests;

/// <summary>A database of its own, with the service's schema.</summary>
internal static class TestDatabase
{
    public static async Task<NpgsqlDataSource> CreateAsync()
    {
        var dataSource = NpgsqlDataSource.Create(await SharedPostgres.CreateDatabaseAsync());
        await new SchemaMigrator(dataSource, NullLogger<SchemaMigrator>.Instance).MigrateAsync();
        return dataSource;
    }
}
