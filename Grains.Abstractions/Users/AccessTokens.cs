namespace Marketplace.Users;

/// <summary>What silos write into access tokens and frontends ask of them. Both sides are one service: nothing to configure.</summary>
public static class AccessTokens
{
    public const string Issuer = "marketplace";
    public const string Audience = "marketplace-api";

    /// <summary>ECDSA on P-256 with SHA-256: the one algorithm that is accepted.</summary>
    public const string Algorithm = "ES256";

    /// <summary>RFC 9068's type of access tokens: no other kind of token that we may sign one day passes for one.</summary>
    public const string Type = "at+jwt";

    /// <summary>The user's id, a GUID in the form "D".</summary>
    public const string UserId = "sub";

    /// <summary>The session family that the token came from, a GUID in the form "D".</summary>
    public const string SessionId = "sid";

    /// <summary>One claim a role, see <see cref="UserRoles"/>.</summary>
    public const string Roles = "roles";

    public const string EmailVerified = "email_verified";
}

/// <summary>The roles a user may have.</summary>
public static class UserRoles
{
    /// <summary>Everybody's.</summary>
    public const string Candidate = "candidate";

    public const string Interviewer = "interviewer";

    /// <summary>Follows from the setting <c>Users:Operators</c> and a verified address.</summary>
    public const string Operator = "operator";
}
