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
    /// Starts a private PostgreSQL, and again should it end, and configures <c>Database:ConnectionString</c> to it, unless that is
    /// configured already. Returns what stops the server, or null if there is none. To be given to
    /// <see cref="MarketplaceProcess.RunAsync"/> as the surroundings of the process.
    /// </summary>
    public static async Task<IAsyncDisposable?> UsePrivatePostgresAsync(
        this WebApplicationBuilder builder, CancellationToken cancellationToken)
    {
        if (!string.IsNullOrEmpty(builder.Configuration[ConnectionStringKey]))
        {
            return null;
        }

        var loggers = LoggerFactory.Create(logging =>
            logging.AddConfiguration(builder.Configuration.GetSection("Logging")).AddConsole());
        var directory = builder.Configuration[$"{StandaloneOptions.Section}:{nameof(StandaloneOptions.DataDirectory)}"];
        try
        {
            var server = await PostgresServer.StartAsync(
                Path.Combine(string.IsNullOrEmpty(directory) ? new StandaloneOptions().DataDirectory : directory, "postgres"),
                loggers.CreateLogger<PostgresServer>(),
                TimeProvider.System,
                cancellationToken: cancellationToken);
            builder.Configuration.AddInMemoryCollection([new(ConnectionStringKey, server.ConnectionString)]);
            return new WatchedServer(server, loggers);
        }
        catch
        {
            loggers.Dispose();
            throw;
        }
    }

    /// <summary>A server with its watcher, and what they log to.</summary>
    private sealed class WatchedServer : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly PostgresServer _server;
        private readonly ILoggerFactory _loggers;
        private readonly Task _watching;

        public WatchedServer(PostgresServer server, ILoggerFactory loggers)
        {
            (_server, _loggers) = (server, loggers);
            _watching = server.WatchAsync(_stop.Token);
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _server.DisposeAsync();
            _loggers.Dispose();
            _stop.Dispose();
        }
    }
}
