using System.Threading.Channels;
using Marketplace.Grains.Storage;
using Npgsql;

namespace Marketplace.Grains.Mail;

/// <summary>A mail to be sent.</summary>
/// <param name="UserId">Whom it is about: the mail goes when the user does. Null for nobody.</param>
/// <param name="Recipient">The address.</param>
/// <param name="Subject">One line.</param>
/// <param name="Body">Plain text.</param>
internal sealed record OutboxMail(Guid? UserId, string Recipient, string Subject, string Body);

/// <summary>
/// Mail leaves through a table: a change and the mail about it are one transaction, so a mail is sent when, and only when,
/// the change was committed. It is sent at least once: a crash between the server's "accepted" and our commit repeats it,
/// under the same Message-ID.
/// </summary>
internal sealed class Outbox(TimeProvider clock)
{
    // One wake-up is as good as many.
    private readonly Channel<bool> _wakeUps = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Writes the mail in the transaction that the connection is in.</summary>
    public Task AddAsync(NpgsqlConnection connection, OutboxMail mail)
    {
        var now = clock.GetUtcNow();
        return connection.ExecuteAsync(
            """
            INSERT INTO mail_outbox (id, user_id, recipient, subject, body, created_at, next_attempt_at)
            VALUES ($1, $2, $3, $4, $5, $6, $6)
            """,
            Guid.CreateVersion7(now), mail.UserId, mail.Recipient, mail.Subject, mail.Body, now);
    }

    /// <summary>Forgets what hasn't been sent to a user; a mail that is being sent right now goes when that has ended.</summary>
    public static Task RemoveOfUserAsync(NpgsqlConnection connection, Guid userId) => connection.ExecuteAsync(
        "DELETE FROM mail_outbox WHERE id IN (SELECT id FROM mail_outbox WHERE user_id = $1 FOR UPDATE SKIP LOCKED)", userId);

    /// <summary>Forgets a mail, which the caller holds, if it is about a user who is gone.</summary>
    public static Task RemoveIfOfNobodyAsync(NpgsqlConnection connection, Guid mailId) => connection.ExecuteAsync(
        """
        DELETE FROM mail_outbox m WHERE id = $1 AND user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.id = m.user_id)
        """,
        mailId);

    /// <summary>Tells this silo's worker that a mail was committed; the others look by themselves every second.</summary>
    public void WakeUp() => _wakeUps.Writer.TryWrite(true);

    /// <summary>Waits for <see cref="WakeUp"/>, or for the given time.</summary>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(atMost, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            await _wakeUps.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // time to look anyway
        }
    }
}
