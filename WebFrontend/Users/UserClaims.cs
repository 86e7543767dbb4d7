using System.Security.Claims;
using Marketplace.Users;

namespace Marketplace.WebFrontend.Users;

/// <summary>Reads the caller from an access token that has been verified.</summary>
internal static class UserClaims
{
    /// <summary>The caller's id.</summary>
    /// <exception cref="InvalidOperationException">The endpoint doesn't require authentication.</exception>
    public static Guid GetUserId(this ClaimsPrincipal user) => GetGuid(user, AccessTokens.UserId);

    /// <summary>The session family that the caller's token came from.</summary>
    /// <exception cref="InvalidOperationException">The endpoint doesn't require authentication.</exception>
    public static Guid GetSessionId(this ClaimsPrincipal user) => GetGuid(user, AccessTokens.SessionId);

    private static Guid GetGuid(ClaimsPrincipal user, string claim) => Guid.TryParseExact(user.FindFirstValue(claim), "D", out var id)
        ? id
        : throw new InvalidOperationException($"There is no claim {claim}: the endpoint must require authorization.");
}
