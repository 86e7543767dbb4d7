using Marketplace.Grains.Storage;
using Marketplace.Users;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>A link that was mailed, with the registration it stands for.</summary>
internal sealed record Verification(string PasswordHash, string DisplayName, string TimeZone, DateTimeOffset ExpiresAt, DateTimeOffset? UsedAt);

/// <summary>Whose address it is, and what a login compares.</summary>
internal sealed record AccountOwner(Guid Id, string PasswordHash, bool IsVerified);

/// <summary>
/// The statements over <c>users</c> and <c>email_verifications</c>. Those that change a user name the version that they
/// read, and say whether it was still the current one.
/// </summary>
internal static class UserStore
{
    /// <summary>
    /// Links that count at one time for one account; one more takes the oldest's place. More than the limit on registrations
    /// of one address (<see cref="UserLimits.RegisterAccount"/>) lets through while a link lasts, so that strangers who register
    /// an address over and over don't push its owner's link out.
    /// </summary>
    public const int MaxVerifications = 250;

    public static async Task<UserState?> FindAsync(NpgsqlConnection connection, Guid id)
    {
        await using var command = connection.Command(
            """
            SELECT email, verified_at, display_name, time_zone, roles, password_hash, version, created_at
            FROM users WHERE id = $1
            """,
            id);
        await using var reader = await command.ExecuteReaderAsync();
        if (!await reader.ReadAsync())
        {
            return null;
        }

        _ = EmailAddress.TryParse(reader.GetString(0), out var email);
        return new(
            id, email, reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1), reader.GetString(2), reader.GetString(3),
            reader.GetFieldValue<string[]>(4), reader.GetString(5), reader.GetInt32(6), reader.GetFieldValue<DateTimeOffset>(7));
    }

    /// <summary>Whose address it is, with what a login compares.</summary>
    public static async Task<AccountOwner?> FindByEmailAsync(NpgsqlConnection connection, EmailAddress email)
    {
        await using var command = connection.Command(
            "SELECT id, password_hash, verified_at IS NOT NULL FROM users WHERE email_folded = $1", email.Folded);
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync() ? new(reader.GetGuid(0), reader.GetString(1), reader.GetBoolean(2)) : null;
    }

    /// <summary>False when the address is taken: an insert that races another waits for it and then finds out.</summary>
    public static async Task<bool> InsertAsync(NpgsqlConnection connection, UserState user) => await connection.ExecuteAsync(
        """
        INSERT INTO users (id, email, email_folded, verified_at, display_name, time_zone, roles, password_hash, version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (email_folded) DO NOTHING
        """,
        user.Id, user.Email.Given, user.Email.Folded, user.VerifiedAt, user.DisplayName, user.TimeZone, user.Roles.ToArray(),
        user.PasswordHash, user.Version, user.CreatedAt) == 1;

    /// <summary>Writes all that may change; the version in the table must be the one before <paramref name="user"/>'s.</summary>
    public static async Task<bool> UpdateAsync(NpgsqlConnection connection, UserState user) => await connection.ExecuteAsync(
        """
        UPDATE users SET email = $3, verified_at = $4, display_name = $5, time_zone = $6, roles = $7, password_hash = $8,
          version = $9, created_at = $10
        WHERE id = $1 AND version = $2
        """,
        user.Id, user.Version - 1, user.Email.Given, user.VerifiedAt, user.DisplayName, user.TimeZone, user.Roles.ToArray(),
        user.PasswordHash, user.Version, user.CreatedAt) == 1;

    /// <summary>Sessions and links go with the user.</summary>
    public static async Task<bool> DeleteAsync(NpgsqlConnection connection, Guid id, int version) =>
        await connection.ExecuteAsync("DELETE FROM users WHERE id = $1 AND version = $2", id, version) == 1;

    public static async Task AddVerificationAsync(
        NpgsqlConnection connection, UserState user, byte[] tokenHash, DateTimeOffset now, DateTimeOffset expiresAt)
    {
        await connection.ExecuteAsync(
            """
            DELETE FROM email_verifications WHERE token_hash IN (
              SELECT token_hash FROM email_verifications WHERE user_id = $1 ORDER BY created_at DESC OFFSET $2)
            """,
            user.Id, MaxVerifications - 1);
        await connection.ExecuteAsync(
            """
            INSERT INTO email_verifications (token_hash, user_id, password_hash, display_name, time_zone, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            tokenHash, user.Id, user.PasswordHash, user.DisplayName, user.TimeZone, now, expiresAt);
    }

    public static async Task<Verification?> FindVerificationAsync(NpgsqlConnection connection, Guid userId, byte[] tokenHash)
    {
        await using var command = connection.Command(
            """
            SELECT password_hash, display_name, time_zone, expires_at, used_at
            FROM email_verifications WHERE token_hash = $1 AND user_id = $2
            """,
            tokenHash, userId);
        await using var reader = await command.ExecuteReaderAsync();
        return await reader.ReadAsync()
            ? new(reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetFieldValue<DateTimeOffset>(3),
                reader.IsDBNull(4) ? null : reader.GetFieldValue<DateTimeOffset>(4))
            : null;
    }

    /// <summary>The used link stays until it expires, since people open links twice; the others are void.</summary>
    public static async Task UseVerificationAsync(NpgsqlConnection connection, Guid userId, byte[] tokenHash, DateTimeOffset now)
    {
        await connection.ExecuteAsync("UPDATE email_verifications SET used_at = $2 WHERE token_hash = $1", tokenHash, now);
        await connection.ExecuteAsync("DELETE FROM email_verifications WHERE user_id = $1 AND token_hash <> $2", userId, tokenHash);
    }

    public static async Task<Guid?> FindUserOfVerificationAsync(NpgsqlConnection connection, byte[] tokenHash)
    {
        await using var command = connection.Command("SELECT user_id FROM email_verifications WHERE token_hash = $1", tokenHash);
        return (Guid?)await command.ExecuteScalarAsync();
    }
}
