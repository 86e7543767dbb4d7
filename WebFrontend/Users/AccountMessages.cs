using System.Text.Json.Serialization;
using Marketplace.Users;

namespace Marketplace.WebFrontend.Users;

// Fields that must be there are nullable all the same: what is missing is told together with whatever else is wrong.

internal sealed record RegisterRequest(string? Email, string? Password, string? DisplayName, string? TimeZone);

internal sealed record VerifyEmailRequest(string? Token);

internal sealed record LoginRequest(string? Email, string? Password);

internal sealed record RefreshRequest(string? RefreshToken);

internal sealed record EmailCheckRequest(string? Email);

/// <summary>
/// A merge patch (RFC 7396): a field that isn't named stays as it is. Neither can be removed, so a null is refused by the
/// JSON reader, which is why these aren't nullable though they are null when not named.
/// </summary>
internal sealed class PatchProfileRequest
{
    public string DisplayName { get; init; } = null!;

    public string TimeZone { get; init; } = null!;
}

/// <summary>The answer to a registration, whatever came of it.</summary>
internal sealed record RegisterAnswer(string Status);

/// <summary>The answer to an email check: <c>continue</c>, or <c>registered</c> or <c>available</c> where that may be told.</summary>
internal sealed record EmailCheckAnswer(string Status);

/// <summary>Tokens as OAuth 2 names them, in this API's spelling; times in whole seconds from now.</summary>
internal sealed record TokensAnswer(string AccessToken, string TokenType, long ExpiresIn, string RefreshToken, long RefreshExpiresIn)
{
    public static TokensAnswer Of(SessionTokens tokens) => new(
        tokens.AccessToken.Value, "Bearer", (long)tokens.ExpiresIn.TotalSeconds,
        tokens.RefreshToken.Value, (long)tokens.RefreshExpiresIn.TotalSeconds);
}

/// <summary>What a user sees of itself. The version is the ETag.</summary>
internal sealed record ProfileAnswer(
    Guid Id,
    string Email,
    bool EmailVerified,
    string DisplayName,
    string TimeZone,
    IReadOnlyList<string> Roles,
    DateTimeOffset CreatedAt,
    [property: JsonIgnore] int Version)
{
    public static ProfileAnswer Of(UserProfile profile) => new(
        profile.Id, profile.Email, profile.EmailVerified, profile.DisplayName, profile.TimeZone, profile.Roles, profile.CreatedAt,
        profile.Version);
}
