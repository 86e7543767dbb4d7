using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Marketplace.Users;

namespace Marketplace.Bench.Load.Driver;

/// <param name="Id">The token header's <c>kid</c>.</param>
/// <param name="PrivateKey">P-256, PKCS #8.</param>
internal sealed record TokenKey(string Id, byte[] PrivateKey)
{
    /// <summary>A key of our own, for a peer that is told to trust it.</summary>
    public static TokenKey New()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new("bench", pair.ExportPkcs8PrivateKey());
    }

    /// <summary>SubjectPublicKeyInfo, in base64.</summary>
    public string PublicKey()
    {
        using var pair = ECDsa.Create();
        pair.ImportPkcs8PrivateKey(PrivateKey, out _);
        return Convert.ToBase64String(pair.ExportSubjectPublicKeyInfo());
    }
}

/// <summary>
/// Access tokens as the service's silos sign them, for users that are made up: a hub asks for a good token and not for an
/// account, and thousands of real ones would take a password's hash each. Whoever runs this has the service's key, so it is
/// for clusters of one's own.
/// </summary>
internal sealed class AccessTokenMint : IDisposable
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);
    private readonly ECDsa _key = ECDsa.Create();
    private readonly string _header;

    public AccessTokenMint(TokenKey key)
    {
        _key.ImportPkcs8PrivateKey(key.PrivateKey, out _);
        _header = Encode(JsonSerializer.SerializeToUtf8Bytes(
            new Dictionary<string, string> { ["alg"] = AccessTokens.Algorithm, ["kid"] = key.Id, ["typ"] = AccessTokens.Type }));
    }

    /// <summary>A token of the user of that number, the same user every time.</summary>
    public string Mint(int user, params string[] roles)
    {
        var now = TimeProvider.System.GetUtcNow();
        var claims = new Dictionary<string, object>
        {
            ["iss"] = AccessTokens.Issuer,
            ["aud"] = AccessTokens.Audience,
            [AccessTokens.UserId] = $"10ad0000-0000-4000-8000-{user.ToString("x12", CultureInfo.InvariantCulture)}",
            [AccessTokens.SessionId] = $"10ad0001-0000-4000-8000-{user.ToString("x12", CultureInfo.InvariantCulture)}",
            [AccessTokens.EmailVerified] = true,
            [AccessTokens.Roles] = roles is [] ? [UserRoles.Candidate] : roles,
            ["iat"] = now.ToUnixTimeSeconds(),
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["exp"] = (now + Lifetime).ToUnixTimeSeconds(),
        };
        var signed = $"{_header}.{Encode(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return $"{signed}.{Encode(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    public void Dispose() => _key.Dispose();

    private static string Encode(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
}
