using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Hosting.Database;

/// <summary>
/// Waits for PostgreSQL and migrates the schema. Runs in <see cref="IHostedLifecycleService.StartingAsync"/>, so that
/// neither Orleans nor Kestrel starts before the tables are there.
/// </summary>
internal sealed partial class DatabaseStartup(
    NpgsqlDataSource dataSource,
    SchemaMigrator migrator,
    IOptions<DatabaseOptions> options,
    TimeProvider clock,
    ILogger<DatabaseStartup> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        var startedAt = clock.GetTimestamp();
        while (true)
        {
            try
            {
                await migrator.MigrateAsync(cancellationToken);
                return;
            }
            catch (Exception error) when (error is NpgsqlException { IsTransient: true } or TimeoutException
                || error is PostgresException { SqlState: PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections })
            {
                var waited = clock.GetElapsedTime(startedAt);
                var server = new NpgsqlConnectionStringBuilder(dataSource.ConnectionString);
                if (waited >= options.Value.StartTimeout)
                {
                    throw new StartupException(
                        $"PostgreSQL at {server.Host}:{server.Port} did not answer within Database:StartTimeout "
                        + $"({options.Value.StartTimeout}): {error.Message}")
                    {
                        MayPass = true,
                    };
                }

                LogWaiting(server.Host, server.Port, error.Message, (int)(options.Value.StartTimeout - waited).TotalSeconds);
                await Task.Delay(RetryInterval, clock, cancellationToken);
            }
            catch (NpgsqlException error)
            {
                throw new StartupException($"PostgreSQL refused this process: {error.Message}");
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Warning,
        "PostgreSQL at {Host}:{Port} does not answer ({Reason}); trying again for another {SecondsLeft} s")]
    private partial void LogWaiting(string? host, int port, string reason, int secondsLeft);
}
