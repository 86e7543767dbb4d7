using Marketplace.Users;

namespace Marketplace.Grains.Users;

/// <summary>A row of <c>users</c>.</summary>
internal sealed record UserState(
    Guid Id,
    EmailAddress Email,
    DateTimeOffset? VerifiedAt,
    string DisplayName,
    string TimeZone,
    IReadOnlyList<string> Roles,
    string PasswordHash,
    int Version,
    DateTimeOffset CreatedAt)
{
    public bool IsVerified => VerifiedAt is not null;

    /// <summary>Granted roles, and operator for the verified owner of an address that the operators' setting names.</summary>
    public IReadOnlyList<string> EffectiveRoles(IEnumerable<string> operators) =>
        IsVerified && operators.Any(address => EmailAddress.TryParse(address, out var named) && named.Folded == Email.Folded)
            ? [.. Roles, UserRoles.Operator]
            : Roles;

    public UserProfile ToProfile(IEnumerable<string> operators) =>
        new(Id, Email.Given, IsVerified, DisplayName, TimeZone, EffectiveRoles(operators), CreatedAt, Version);
}
