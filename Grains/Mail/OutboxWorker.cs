using System.Text;
using Marketplace.Grains.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MimeKit;
using Npgsql;

namespace Marketplace.Grains.Mail;

/// <summary>
/// Sends what <see cref="Outbox"/> holds. Every silo runs one; a row is locked while it is being sent, and the others pass
/// over it. The lock is the transaction's, so the mail of a worker that dies is free again at once.
/// </summary>
internal sealed partial class OutboxWorker(
    NpgsqlDataSource dataSource,
    Outbox outbox,
    IMailTransport transport,
    IOptions<MailSettings> settings,
    TimeProvider clock,
    ILogger<OutboxWorker> logger) : BackgroundService
{
    private const int MaxErrorLength = 500;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await SendNextAsync(stoppingToken))
                {
                }

                await transport.RestAsync(stoppingToken);
                await outbox.WaitAsync(PollInterval, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // whatever it was, mail goes on when it is over
            catch (Exception error)
#pragma warning restore CA1031
            {
                LogTrouble(error);
                await Task.Delay(PollInterval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Sends one mail that is due, or notes that it couldn't; false when none is due.</summary>
    private async Task<bool> SendNextAsync(CancellationToken stopping)
    {
        await using var connection = await dataSource.OpenConnectionAsync(stopping);
        await using var transaction = await connection.BeginTransactionAsync(stopping);
        if (await TakeDueAsync(connection, stopping) is not { } due)
        {
            return false;
        }

        try
        {
            using var timeout = new CancellationTokenSource(settings.Value.SendTimeout, clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, timeout.Token);
            using var mail = Compose(due);
            await transport.SendAsync(mail, either.Token);
        }
#pragma warning disable CA1031 // servers, networks and files fail in too many ways to name: each is noted with the mail
        catch (Exception error) when (!stopping.IsCancellationRequested)
#pragma warning restore CA1031
        {
            await PostponeAsync(connection, due, error);
            await Outbox.RemoveIfOfNobodyAsync(connection, due.Id); // whose user went while it was being sent
            await transaction.CommitAsync(CancellationToken.None);
            return true;
        }

        // Not cancellable: the mail is out, and a stop now would send it twice.
        await connection.ExecuteAsync("DELETE FROM mail_outbox WHERE id = $1", due.Id);
        await transaction.CommitAsync(CancellationToken.None);
        return true;
    }

    private async Task<DueMail?> TakeDueAsync(NpgsqlConnection connection, CancellationToken stopping)
    {
        await using var command = connection.Command(
            """
            SELECT id, recipient, subject, body, created_at, attempts FROM mail_outbox
            WHERE parked_at IS NULL AND next_attempt_at <= $1
            ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
            """,
            clock.GetUtcNow());
        await using var reader = await command.ExecuteReaderAsync(stopping);
        return await reader.ReadAsync(stopping)
            ? new(reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetString(3),
                reader.GetFieldValue<DateTimeOffset>(4), reader.GetInt32(5))
            : null;
    }

    private async Task PostponeAsync(NpgsqlConnection connection, DueMail due, Exception error)
    {
        var now = clock.GetUtcNow();
        var attempts = due.Attempts + 1;
        var wait = OutboxRetry.After(attempts, settings.Value.MaxAttempts);
        await connection.ExecuteAsync(
            "UPDATE mail_outbox SET attempts = $2, next_attempt_at = $3, parked_at = $4, last_error = $5 WHERE id = $1",
            due.Id, attempts, now + (wait ?? TimeSpan.Zero), wait is null ? now : null,
            Describe(error));
        if (wait is { } pause)
        {
            LogPostponed(due.Id, attempts, pause, error.GetType().Name);
        }
        else
        {
            LogParked(error, due.Id, attempts);
        }
    }

    /// <summary>What PostgreSQL takes, whatever the server said: no NUL, and no half of a surrogate pair, which a cut may leave.</summary>
    private static string Describe(Exception error)
    {
        var text = $"{error.GetType().Name}: {error.Message.Replace('\0', ' ')}";
        return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text[..Math.Min(text.Length, MaxErrorLength)]));
    }

    private MimeMessage Compose(DueMail due)
    {
        var from = MailboxAddress.Parse(settings.Value.From);
        return new MimeMessage([from], [new MailboxAddress("", due.Recipient)], due.Subject, new TextPart("plain") { Text = due.Body })
        {
            Date = due.CreatedAt,
            MessageId = $"{due.Id:N}@{from.Domain}",
        };
    }

    private sealed record DueMail(Guid Id, string Recipient, string Subject, string Body, DateTimeOffset CreatedAt, int Attempts);

    [LoggerMessage(LogLevel.Warning, "Mail {MailId} could not be sent (attempt {Attempts}, {Error}); next attempt in {Wait}")]
    private partial void LogPostponed(Guid mailId, int attempts, TimeSpan wait, string error);

    [LoggerMessage(LogLevel.Error, "Mail {MailId} could not be sent in {Attempts} attempts and is parked in mail_outbox")]
    private partial void LogParked(Exception error, Guid mailId, int attempts);

    [LoggerMessage(LogLevel.Warning, "The mail outbox can't be worked on; trying again")]
    private partial void LogTrouble(Exception error);
}
