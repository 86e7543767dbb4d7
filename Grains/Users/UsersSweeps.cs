namespace Marketplace.Grains.Users;

/// <summary>
/// The statements of <see cref="UsersSweeper"/>. Each deletes at most $1 rows of what has been over for $2, and none that another
/// holds: it may be about to live on. Times are PostgreSQL's: a silo whose clock is wrong must not delete what still lives, for
/// everybody and for good.
/// </summary>
internal static class UsersSweeps
{
    public const string Links =
        """
        DELETE FROM email_verifications WHERE token_hash = ANY (ARRAY(
          SELECT token_hash FROM email_verifications WHERE expires_at < now() - $2 ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    public const string Registrations =
        """
        DELETE FROM users WHERE id = ANY (ARRAY(
          SELECT id FROM users u WHERE verified_at IS NULL AND created_at < now() - $2
            AND NOT EXISTS (SELECT FROM email_verifications v WHERE v.user_id = u.id AND v.expires_at >= now())
          ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    public const string RefreshTokens =
        """
        DELETE FROM refresh_tokens WHERE token_hash = ANY (ARRAY(
          SELECT t.token_hash FROM session_families f JOIN refresh_tokens t ON t.family_id = f.id
          WHERE f.expires_at < now() - $2 ORDER BY f.expires_at LIMIT $1 FOR UPDATE OF t SKIP LOCKED))
        """;

    /// <summary>Those whose tokens are gone: however many there are, they would go with the session.</summary>
    public const string Sessions =
        """
        DELETE FROM session_families WHERE id = ANY (ARRAY(
          SELECT id FROM session_families f WHERE expires_at < now() - $2
            AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = f.id)
          ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    public const string SigningKeys =
        """
        DELETE FROM signing_keys WHERE id = ANY (ARRAY(
          SELECT id FROM signing_keys WHERE verifies_until < now() - $2 LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    public const string ParkedMail =
        """
        DELETE FROM mail_outbox WHERE id = ANY (ARRAY(
          SELECT id FROM mail_outbox WHERE parked_at < now() - $2 LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;

    /// <summary>About users who are gone, since when doesn't matter.</summary>
    public const string MailToNobody =
        """
        DELETE FROM mail_outbox WHERE id = ANY (ARRAY(
          SELECT id FROM mail_outbox m WHERE user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.id = m.user_id)
          LIMIT $1 FOR UPDATE SKIP LOCKED))
        """;
}
