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

    /// <summary>The key to sign with. It may have to be read: call this while no connection to PostgreSQL is held.</summary>
    public ValueTask<SigningKey> KeyAsync() => keys.GetCurrentAsync();

    /// <summary>A signed token for a session of a user, and for how long it is good.</summary>
    public (string Token, TimeSpan ExpiresIn) Issue(SigningKey key, Guid userId, Guid sessionId, IEnumerable<string> roles, bool emailVerified)
    {
        var now = clock.GetUtcNow();
        var expires = now + settings.Value.AccessTokenLifetime;
        if (expires > key.Schedule.TokensEndBy)
        {
            expires = key.Schedule.TokensEndBy; // the key was made when tokens lasted less long
        }

        var identity = new ClaimsIdentity(
        [
            new(AccessTokens.UserId, userId.ToString("D")),
            new(AccessTokens.SessionId, sessionId.ToString("D")),
            new(AccessTokens.EmailVerified, emailVerified ? "true" : "false", ClaimValueTypes.Boolean),
            .. roles.Select(role => new Claim(AccessTokens.Roles, role)),
        ]);
        var token = Tokens.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = AccessTokens.Type,
            Issuer = AccessTokens.Issuer,
            Audience = AccessTokens.Audience,
            Subject = identity,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = expires.UtcDateTime,
            SigningCredentials = new(new ECDsaSecurityKey(key.KeyPair) { KeyId = key.Id }, AccessTokens.Algorithm),
        });
        return (token, expires - now);
    }
}
