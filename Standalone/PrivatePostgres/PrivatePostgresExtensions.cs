using Marketplace.Hosting;
using Marketplace.Hosting.Settings;

namespace Marketplace.Standalone.PrivatePostgres;

public static class PrivatePostgresExtensions
{
    private const string ConnectionStringKey = "Database:ConnectionString";

    /// <summary>Adds the section <c>Standalone</c>, so that it is checked at start and listed by <c>--help</c>.</summary>
    public static WebApplicationBuilder AddStandaloneSettings(this WebApplicationBuilder builder)
    {
        builder.Services.AddSettings<StandaloneOptions>(StandaloneOptions.Section);
        return builder;
    }

    /// <summary>
    /// Starts a private PostgreSQL and configures <c>Database:ConnectionString</c> to it, unless that is configured
    /// already. Returns what stops the server, or null if there is none. To be given to
    /// <see cref="MarketplaceProcess.RunAsync"/> as the surroundings of the process.
    /// </summary>
    public static async Task<IAsyncDisposable?> UsePrivatePostgresAsync(
        this WebApplicationBuilder builder, CancellationToken cancellationToken)
    {
        if (!string.IsNullOrEmpty(builder.Configuration[ConnectionStringKey]))
        {
            return null;
        }

        using var loggers = LoggerFactory.Create(logging =>
            logging.AddConfiguration(builder.Configuration.GetSection("Logging")).AddConsole());
        var directory = builder.Configuration[$"{StandaloneOptions.Section}:{nameof(StandaloneOptions.DataDirectory)}"];
        var server = await PostgresServer.StartAsync(
            Path.Combine(string.IsNullOrEmpty(directory) ? new StandaloneOptions().DataDirectory : directory, "postgres"),
            loggers.CreateLogger<PostgresServer>(),
            TimeProvider.System,
            cancellationToken: cancellationToken);
        builder.Configuration.AddInMemoryCollection([new(ConnectionStringKey, server.ConnectionString)]);
        return server;
    }
}
