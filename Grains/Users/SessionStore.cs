using Marketplace.Grains.Storage;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>A refresh token as it is stored, and its family.</summary>
internal readonly record struct StoredRefreshToken(Guid FamilyId, DateTimeOffset FamilyExpiresAt, DateTimeOffset? UsedAt);

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
              SELECT id FROM session_families WHERE user_id = $1 ORDER BY created_at DESC, id DESC OFFSET $2)
            """,
            user.Id, maxFamilies);
        return started == 1;
    }

    public static Task AddTokenAsync(NpgsqlConnection connection, Guid familyId, byte[] tokenHash, DateTimeOffset now) =>
        connection.ExecuteAsync(
            "INSERT INTO refresh_tokens (token_hash, family_id, issued_at) VALUES ($1, $2, $3)", tokenHash, familyId, now);

    /// <summary>Reads a token of a user and locks its family until the transaction ends.</summary>
    public static async Task<StoredRefreshToken?> FindAndLockAsync(NpgsqlConnection connection, Guid userId, byte[] tokenHash)
    {
        await using var command = connection.Command(
            """
            SELECT f.id, f.expires_at, t.used_at
            FROM session_families f JOIN refresh_tokens t ON t.family_id = f.id
            WHERE t.token_hash = $1 AND f.user_id = $2 FOR UPDATE OF f
            """,
            tokenHash, userId);
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync()
            ? new(reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1), reader.IsDBNull(2) ? null : reader.GetFieldValue<DateTimeOffset>(2))
            : null;
    }

    /// <summary>Only the first use counts.</summary>
    public static Task UseTokenAsync(NpgsqlConnection connection, byte[] tokenHash, DateTimeOffset now) =>
        connection.ExecuteAsync("UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL", tokenHash, now);

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
