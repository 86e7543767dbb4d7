using Marketplace.Grains.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>
/// Deletes what has run out: registrations that nobody verified, links, sessions, keys and parked mail. Every silo runs one,
/// an hour apart; what two of them delete at once is gone once.
/// </summary>
internal sealed partial class UsersSweeper(
    NpgsqlDataSource dataSource, IOptions<UsersSettings> settings, TimeProvider clock, ILogger<UsersSweeper> logger) : BackgroundService
{
    /// <summary>One statement's, so that it ends long before Npgsql gives it up.</summary>
    private const int RowsMax = 10_000;

    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan KeepParkedMail = TimeSpan.FromDays(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            foreach (var sweep in Sweeps())
            {
                try
                {
                    await RunAsync(sweep, stoppingToken);
                }
                catch (Exception error) when (error is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
                {
                    LogFailed(sweep.What, error.Message); // the others may go on
                }
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>What is swept: first what would go with something else, in statements that have no bound.</summary>
    private Sweep[] Sweeps() =>
    [
        new("links", TimeSpan.Zero, UsersSweeps.Links),
        new("registrations", settings.Value.VerificationLifetime, UsersSweeps.Registrations),
        new("sessions", TimeSpan.Zero, UsersSweeps.RefreshTokens, UsersSweeps.Sessions),
        new("keys", TimeSpan.Zero, UsersSweeps.SigningKeys),
        new("parked mail", KeepParkedMail, UsersSweeps.ParkedMail),
        new("mail to nobody", TimeSpan.Zero, UsersSweeps.MailToNobody),
    ];

    /// <summary>Repeats a sweep's statements until none of them leaves any rows.</summary>
    private async Task RunAsync(Sweep sweep, CancellationToken stopping)
    {
        await using var connection = await dataSource.OpenConnectionAsync(stopping);
        bool isMore;
        do
        {
            isMore = false;
            foreach (var statement in sweep.Statements)
            {
                await using var command = connection.Command(statement, RowsMax, sweep.Age);
                isMore |= await command.ExecuteNonQueryAsync(stopping) == RowsMax;
            }
        }
        while (isMore);
    }

    [LoggerMessage(LogLevel.Warning, "The sweep of accounts failed at {What} and is tried again in an hour: {Reason}")]
    private partial void LogFailed(string what, string reason);

    private sealed record Sweep(string What, TimeSpan Age, params string[] Statements);
}
