using Marketplace.Grains.Storage;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>A refresh token as it is stored, and its family.</summary>
/// <param name="FamilyId">The session.</param>
/// <param name="FamilyExpiresAt">When the session ends, however often it is refreshed.</param>
/// <param name="UsedFor">The time since its first use, if it was used.</param>
/// <param name="IsReplacementUsed">A token that took its place has been used: the answer to its use did arrive.</param>
/// <param name="IsRivalUsed">Another token that took the place of the same one has been used.</param>
internal readonly record struct StoredRefreshToken(
    Guid FamilyId, DateTimeOffset FamilyExpiresAt, TimeSpan? UsedFor = null, bool IsReplacementUsed = false, bool IsRivalUsed = false);

/// <summary>The statements over <c>session_families</c> and <c>refresh_tokens</c>.</summary>
internal static class SessionStore
{
    /// <summary>Starts a family, unless the user has changed or gone since that version; the oldest beyond the bound end.</summary>
    public static async Task<bool> StartAsync(
        NpgsqlConnection connection, UserState user, Guid familyId, DateTimeOffset now, DateTimeOffset expiresAt, int maxFamilies)
    {
        var started = await connection.ExecuteAsync(
            """
            INSERT INTO session_families (id, user_id, created_at, expires_at)
            SELECT $1, id, $4, $5 FROM users WHERE id = $2 AND version = $3
            """,
            familyId, user.Id, user.Version, now, expiresAt);
        await connection.ExecuteAsync(
            """
            DELETE FROM session_families WHERE id IN (
              SELECT id FROM session_families WHERE user_id = $1 AND id <> $2 ORDER BY created_at DESC, id DESC OFFSET $3)
            """,
            user.Id, familyId, maxFamilies - 1); // never the new one, whatever time other silos have
        return started == 1;
    }

    /// <param name="connection">The connection, in its transaction.</param>
    /// <param name="familyId">The session.</param>
    /// <param name="tokenHash">The new token.</param>
    /// <param name="now">When it is issued.</param>
    /// <param name="replaces">The token for which it is issued; null for a login.</param>
    public static Task AddTokenAsync(
        NpgsqlConnection connection, Guid familyId, byte[] tokenHash, DateTimeOffset now, byte[]? replaces = null) =>
        connection.ExecuteAsync(
            "INSERT INTO refresh_tokens (token_hash, family_id, issued_at, replaces) VALUES ($1, $2, $3, $4)",
            tokenHash, familyId, now, replaces);

    /// <summary>Locks the family of a user's token until the transaction ends, and reads the token as it is from then on.</summary>
    public static async Task<StoredRefreshToken?> LockAndFindAsync(NpgsqlConnection connection, Guid userId, byte[] tokenHash)
    {
        await connection.ExecuteAsync(
            """
            SELECT FROM session_families f JOIN refresh_tokens t ON t.family_id = f.id
            WHERE t.token_hash = $1 AND f.user_id = $2 FOR UPDATE OF f
            """,
            tokenHash, userId);

        // A statement of its own, which sees what the one before waited for. Ages are PostgreSQL's, the same for all silos.
        await using var command = connection.Command(
            """
            SELECT f.id, f.expires_at, CASE WHEN t.used_at IS NOT NULL THEN greatest(clock_timestamp() - t.used_at, '0') END,
              EXISTS (SELECT FROM refresh_tokens r WHERE r.replaces = t.token_hash AND r.used_at IS NOT NULL),
              EXISTS (SELECT FROM refresh_tokens r WHERE r.replaces = t.replaces AND r.token_hash <> t.token_hash AND r.used_at IS NOT NULL)
            FROM session_families f JOIN refresh_tokens t ON t.family_id = f.id
            WHERE t.token_hash = $1 AND f.user_id = $2
            """,
            tokenHash, userId);
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync()
            ? new(reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1), reader.IsDBNull(2) ? null : reader.GetTimeSpan(2),
                reader.GetBoolean(3), reader.GetBoolean(4))
            : null;
    }

    /// <summary>Only the first use counts, from now on: the client may soon have the answer.</summary>
    public static Task UseTokenAsync(NpgsqlConnection connection, byte[] tokenHash) => connection.ExecuteAsync(
        "UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE token_hash = $1 AND used_at IS NULL", tokenHash);

    public static Task EndAsync(NpgsqlConnection connection, Guid familyId) =>
        connection.ExecuteAsync("DELETE FROM session_families WHERE id = $1", familyId);

    /// <summary>Ends the family of a token, used or not.</summary>
    public static Task EndByTokenAsync(NpgsqlConnection connection, byte[] tokenHash) => connection.ExecuteAsync(
        "DELETE FROM session_families WHERE id = (SELECT family_id FROM refresh_tokens WHERE token_hash = $1)", tokenHash);

    public static async Task<Guid?> FindUserOfTokenAsync(NpgsqlConnection connection, byte[] tokenHash)
    {
        await using var command = connection.Command(
            "SELECT f.user_id FROM refresh_tokens t JOIN session_families f ON f.id = t.family_id WHERE t.token_hash = $1", tokenHash);
        return (Guid?)await command.ExecuteScalarAsync();
    }
}
