using Marketplace.Grains.Mail;
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
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan KeepParkedMail = TimeSpan.FromDays(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            try
            {
                await SweepAsync();
            }
            catch (Exception error) when (error is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(error.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task SweepAsync()
    {
        await using var connection = await dataSource.OpenConnectionAsync();

        // By PostgreSQL's time: a silo whose clock is wrong must not delete what still lives, for everybody and for good.
        await connection.ExecuteAsync(
            """
            DELETE FROM users u WHERE verified_at IS NULL AND created_at < now() - $1
              AND NOT EXISTS (SELECT FROM email_verifications v WHERE v.user_id = u.id AND v.expires_at >= now())
            """,
            settings.Value.VerificationLifetime);
        await connection.ExecuteAsync("DELETE FROM email_verifications WHERE expires_at < now()");
        await connection.ExecuteAsync("DELETE FROM session_families WHERE expires_at < now()");
        await connection.ExecuteAsync("DELETE FROM signing_keys WHERE verifies_until < now()");
        await connection.ExecuteAsync("DELETE FROM mail_outbox WHERE parked_at < now() - $1", KeepParkedMail);
        await Outbox.RemoveOfNobodyAsync(connection);
    }

    [LoggerMessage(LogLevel.Warning, "The sweep of accounts failed and is tried again in an hour: {Reason}")]
    private partial void LogFailed(string reason);
}
