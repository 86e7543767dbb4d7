using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Marketplace.Grains.Limits.Storage;

/// <summary>Deletes buckets whose window is long over. Every silo runs one; they don't wait for each other's rows.</summary>
internal sealed partial class BucketSweeper(NpgsqlDataSource dataSource, TimeProvider clock, ILogger<BucketSweeper> logger)
    : BackgroundService
{
    private const int RowsMaxPerStatement = 5_000;

    private const string Sweep = """
        DELETE FROM limit_buckets WHERE ctid = ANY (ARRAY(
          SELECT ctid FROM limit_buckets WHERE expires_at < now() - interval '1 minute'
          ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await SweepOnceAsync(stoppingToken) == RowsMaxPerStatement)
                {
                }
            }
            catch (Exception error) when (error is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(error.Message); // the rows are still there at the next tick
            }
        }
    }

    private async Task<int> SweepOnceAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(Sweep);
        command.Parameters.Add(new() { Value = RowsMaxPerStatement });
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Expired buckets could not be swept: {Reason}")]
    private partial void LogFailed(string reason);
}
