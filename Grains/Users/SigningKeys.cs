using System.Security.Cryptography;
using Marketplace.Trouble;
using Marketplace.Users;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>A key pair and the times of its life.</summary>
internal sealed record SigningKey(string Id, ECDsa KeyPair, KeySchedule Schedule)
{
    public PublicSigningKey ToPublic() => new(Id, KeyPair.ExportSubjectPublicKeyInfo());
}

/// <summary>
/// This silo's view of the keys in PostgreSQL; it makes the next key when it is time. Silos that see that at once wait for
/// each other at an advisory lock, and all but the first find the key there. While PostgreSQL is away the keys at hand go on
/// signing until their time is over.
/// </summary>
internal sealed partial class SigningKeys(
    NpgsqlDataSource dataSource, IOptions<UsersSettings> settings, TimeProvider clock, ILogger<SigningKeys> logger) : IDisposable
{
    private const long AdvisoryLock = 0x4B657973; // "Keys"
    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);
    private readonly SemaphoreSlim _loading = new(1);
    private volatile IReadOnlyList<SigningKey> _keys = [];
    private long? _loadedAt; // of the clock's monotonic time: the wall's may be set back, and nothing would be loaded until it caught up
    private long _failures;

    /// <summary>The key that signs now.</summary>
    /// <exception cref="UnavailableException">None is known and PostgreSQL can't be reached.</exception>
    public async ValueTask<SigningKey> GetCurrentAsync()
    {
        var now = clock.GetUtcNow();
        if (_loadedAt is not { } loadedAt || clock.GetElapsedTime(loadedAt) > MaxAge || FindCurrent(now) is null)
        {
            await LoadAsync(now);
        }

        return FindCurrent(now) ?? throw new UnavailableException("There is no key to sign access tokens with.");
    }

    /// <summary>All keys that may have signed a living token, and the next one, read anew from PostgreSQL if it answers.</summary>
    public async ValueTask<IReadOnlyList<PublicSigningKey>> GetPublicAsync()
    {
        await LoadAsync(clock.GetUtcNow());
        var keys = _keys;
        return keys.Count > 0
            ? [.. keys.Select(key => key.ToPublic())]
            : throw new UnavailableException("There is no key to verify access tokens with.");
    }

    public void Dispose() => _loading.Dispose();

    private SigningKey? FindCurrent(DateTimeOffset now) =>
        _keys.Where(key => key.Schedule.Signs(now)).MaxBy(key => key.Schedule.SignsFrom);

    private async Task LoadAsync(DateTimeOffset now)
    {
        var askedAt = clock.GetTimestamp();
        var failures = Interlocked.Read(ref _failures);
        await _loading.WaitAsync();
        try
        {
            if (_loadedAt >= askedAt || failures != Interlocked.Read(ref _failures))
            {
                return; // another call loaded while this one waited, or found that it can't be done, which may take it long
            }

            var keys = await ReadAsync(now);
            if (NextOf(keys, now) is not null)
            {
                keys = await CreateNextAsync(now);
            }

            _keys = keys;
            _loadedAt = askedAt;
        }
        catch (NpgsqlException error)
        {
            Interlocked.Increment(ref _failures);
            LogLoadFailed(error);
        }
        finally
        {
            _loading.Release();
        }
    }

    private KeySchedule? NextOf(IReadOnlyList<SigningKey> keys, DateTimeOffset now) => KeySchedule.Next(
        keys.Select(key => key.Schedule), now, settings.Value.SigningKeyLifetime, settings.Value.AccessTokenLifetime);

    private async Task<IReadOnlyList<SigningKey>> ReadAsync(DateTimeOffset now, NpgsqlConnection? connection = null)
    {
        await using var command = new NpgsqlCommand(
            "SELECT id, private_key, signs_from, signs_until, verifies_until FROM signing_keys WHERE verifies_until > $1")
        {
            Parameters = { new() { Value = now } },
        };
        await using var own = connection is null ? await dataSource.OpenConnectionAsync() : null;
        command.Connection = connection ?? own;
        await using var reader = await command.ExecuteReaderAsync();
        var keys = new List<SigningKey>();
        while (await reader.ReadAsync())
        {
            // Keys at hand are kept: a token may be being signed with one.
            var id = reader.GetString(0);
            keys.Add(new(
                id,
                _keys.FirstOrDefault(key => key.Id == id)?.KeyPair ?? Import(reader.GetFieldValue<byte[]>(1)),
                new(reader.GetFieldValue<DateTimeOffset>(2), reader.GetFieldValue<DateTimeOffset>(3), reader.GetFieldValue<DateTimeOffset>(4))));
        }

        return keys;
    }

    private async Task<IReadOnlyList<SigningKey>> CreateNextAsync(DateTimeOffset now)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var guard = new NpgsqlCommand($"SELECT pg_advisory_xact_lock({AdvisoryLock})", connection))
        {
            await guard.ExecuteNonQueryAsync();
        }

        var keys = await ReadAsync(now, connection);
        if (NextOf(keys, now) is not { } next)
        {
            return keys;
        }

        var key = new SigningKey(Guid.CreateVersion7(now).ToString("N"), ECDsa.Create(ECCurve.NamedCurves.nistP256), next);
        await using var insert = new NpgsqlCommand(
            "INSERT INTO signing_keys (id, private_key, signs_from, signs_until, verifies_until) VALUES ($1, $2, $3, $4, $5)", connection)
        {
            Parameters =
            {
                new() { Value = key.Id },
                new() { Value = key.KeyPair.ExportPkcs8PrivateKey() },
                new() { Value = next.SignsFrom },
                new() { Value = next.SignsUntil },
                new() { Value = next.VerifiesUntil },
            },
        };
        await insert.ExecuteNonQueryAsync();
        await transaction.CommitAsync();
        LogCreated(key.Id, next.SignsFrom);
        return [.. keys, key];
    }

    private static ECDsa Import(byte[] pkcs8)
    {
        var keyPair = ECDsa.Create();
        keyPair.ImportPkcs8PrivateKey(pkcs8, out _);
        return keyPair;
    }

    [LoggerMessage(LogLevel.Information, "Made the key {KeyId}; it signs access tokens from {SignsFrom:u} on")]
    private partial void LogCreated(string keyId, DateTimeOffset signsFrom);

    [LoggerMessage(LogLevel.Warning, "The signing keys can't be loaded; those at hand stay in use")]
    private partial void LogLoadFailed(Exception error);
}
