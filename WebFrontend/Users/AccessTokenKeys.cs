using System.Collections.Frozen;
using System.Security.Cryptography;
using Marketplace.Trouble;
using Marketplace.Users;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.WebFrontend.Users;

/// <summary>
/// The public keys that access tokens are verified with, fetched through a grain and kept. Silos publish a key an hour
/// before they sign with it, and this cache looks again every <see cref="MaxAge"/> in the background, so a token's key is
/// normally here before the token is. A key that isn't known is asked for at once, but no more often than every
/// <see cref="MinInterval"/>: invented key ids cost the cluster one call a second a frontend, however many there are.
/// </summary>
internal sealed partial class AccessTokenKeys(IGrainFactory grains, TimeProvider clock, ILogger<AccessTokenKeys> logger)
{
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(15);
    public static readonly TimeSpan MinInterval = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private FrozenDictionary<string, ECDsaSecurityKey>? _keys;
    private long _fetchedAt;
    private long _triedAt;
    private bool _tried;
    private Task? _fetch;

    /// <summary>The key of that id, if it is here.</summary>
    public ECDsaSecurityKey? Find(string? id) => id is not null && _keys is { } keys && keys.TryGetValue(id, out var key) ? key : null;

    /// <summary>Makes sure that, if there is a key of that id, <see cref="Find"/> finds it.</summary>
    /// <exception cref="UnavailableException">It isn't here, and no silo could be asked.</exception>
    public async ValueTask EnsureAsync(string id, CancellationToken cancellationToken)
    {
        if (Find(id) is not null)
        {
            if (clock.GetElapsedTime(_fetchedAt) > MaxAge)
            {
                _ = StartFetch();
            }

            return;
        }

        if (StartFetch() is { } fetch)
        {
            await fetch.WaitAsync(cancellationToken);
        }

        if (Find(id) is null && !WasFetchedLast())
        {
            throw new UnavailableException("The keys of access tokens can't be fetched.");
        }
    }

    private bool WasFetchedLast()
    {
        lock (_lock)
        {
            return _keys is not null && _fetchedAt >= _triedAt;
        }
    }

    /// <summary>Joins the fetch under way, or starts one; null when the last one began too short a time ago. Never fails.</summary>
    private Task? StartFetch()
    {
        lock (_lock)
        {
            if (_fetch is { IsCompleted: false })
            {
                return _fetch;
            }

            if (_tried && clock.GetElapsedTime(_triedAt) < MinInterval)
            {
                return null;
            }

            _tried = true;
            _triedAt = clock.GetTimestamp();
            return _fetch = FetchAsync();
        }
    }

    private async Task FetchAsync()
    {
        try
        {
            var fetched = await grains.GetGrain<ISigningKeysGrain>(0).GetPublicKeys().AsTask().WaitAsync(Deadline, clock);
            var keys = fetched.ToFrozenDictionary(key => key.Id, Import, StringComparer.Ordinal);
            lock (_lock)
            {
                _keys = keys;
                _fetchedAt = clock.GetTimestamp();
            }
        }
#pragma warning disable CA1031 // whatever went wrong, the keys at hand stay in use and the next request tries again
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFetchFailed(error.GetType().Name, error.Message);
        }
    }

    // Keys that are replaced are left to the finalizer: a request may be verifying with one.
    private static ECDsaSecurityKey Import(PublicSigningKey key)
    {
        var algorithm = ECDsa.Create();
        algorithm.ImportSubjectPublicKeyInfo(key.SubjectPublicKeyInfo, out _);
        return new ECDsaSecurityKey(algorithm) { KeyId = key.Id };
    }

    [LoggerMessage(LogLevel.Warning, "The keys of access tokens can't be fetched: {Error}: {Reason}")]
    private partial void LogFetchFailed(string error, string reason);
}
