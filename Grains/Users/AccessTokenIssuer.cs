using System.Security.Claims;
using Marketplace.Users;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.Grains.Users;

/// <summary>Signs access tokens in the silo.</summary>
internal sealed class AccessTokenIssuer(SigningKeys keys, IOptions<UsersSettings> settings, TimeProvider clock)
{
    private static readonly JsonWebTokenHandler Tokens = new();

    public TimeSpan Lifetime => settings.Value.AccessTokenLifetime;

    /// <summary>The key to sign with. It may have to be read: call this while no connection to PostgreSQL is held.</summary>
    public ValueTask<SigningKey> KeyAsync() => keys.GetCurrentAsync();

    /// <summary>A signed token for a session of a user.</summary>
    public string Issue(SigningKey key, Guid userId, Guid sessionId, IEnumerable<string> roles, bool emailVerified)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        var identity = new ClaimsIdentity(
        [
            new(AccessTokens.UserId, userId.ToString("D")),
            new(AccessTokens.SessionId, sessionId.ToString("D")),
            new(AccessTokens.EmailVerified, emailVerified ? "true" : "false", ClaimValueTypes.Boolean),
            .. roles.Select(role => new Claim(AccessTokens.Roles, role)),
        ]);
        return Tokens.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = AccessTokens.Type,
            Issuer = AccessTokens.Issuer,
            Audience = AccessTokens.Audience,
            Subject = identity,
            IssuedAt = now,
            NotBefore = now,
            Expires = now + settings.Value.AccessTokenLifetime,
            SigningCredentials = new(new ECDsaSecurityKey(key.KeyPair) { KeyId = key.Id }, AccessTokens.Algorithm),
        });
    }
}
