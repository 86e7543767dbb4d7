using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Hosting.Database;

public static class DatabaseServiceCollectionExtensions
{
    /// <summary>
    /// Adds the process's one <see cref="NpgsqlDataSource"/> and brings the schema up to date before any other hosted
    /// service starts. Idempotent.
    /// </summary>
    public static IServiceCollection AddMarketplaceDatabase(this IServiceCollection services)
    {
        if (services.Any(d => d.ServiceType == typeof(NpgsqlDataSource)))
        {
            return services;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddSettings<DatabaseOptions>(DatabaseOptions.Section);
        services.AddSingleton(provider => CreateDataSource(
            provider.GetRequiredService<IOptions<DatabaseOptions>>().Value, provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<SchemaMigrator>();
        services.Insert(0, ServiceDescriptor.Singleton<IHostedService, DatabaseStartup>());
        return services;
    }

    private static NpgsqlDataSource CreateDataSource(DatabaseOptions options, ILoggerFactory loggers)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        }
        catch (ArgumentException error)
        {
            throw new StartupException($"Database:ConnectionString is not an Npgsql connection string: {error.Message}");
        }

        settings.MinPoolSize = Math.Min(options.MinPoolSize, options.MaxPoolSize);
        settings.MaxPoolSize = options.MaxPoolSize;
        settings.Timeout = (int)options.PoolTimeout.TotalSeconds;
        settings.ApplicationName ??= AppDomain.CurrentDomain.FriendlyName;
        settings.MaxAutoPrepare = 100;
        settings.AutoPrepareMinUsages = 2;

        // Parameters may be addresses and hashes of people: Npgsql logs them only if this is asked for.
        return new NpgsqlDataSourceBuilder(settings.ConnectionString).UseLoggerFactory(loggers).Build();
    }
}
