using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Grains.Realtime.History;

/// <summary>Deletes messages that are too old. Every silo runs one; they don't wait for each other's rows.</summary>
internal sealed partial class HistorySweeper(
    NpgsqlDataSource dataSource, IOptions<HistorySettings> settings, TimeProvider clock, ILogger<HistorySweeper> logger)
    : BackgroundService
{
    private const string Sweep = "SELECT sweep_channel_messages($1, $2)";

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await SweepOnceAsync(stoppingToken) == HistoryLimits.SweepRowsMax)
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
        command.Parameters.Add(new() { Value = settings.Value.AgeMax });
        command.Parameters.Add(new() { Value = HistoryLimits.SweepRowsMax });
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    [LoggerMessage(LogLevel.Warning, "Messages that are too old could not be deleted: {Reason}")]
    private partial void LogFailed(string reason);
}
