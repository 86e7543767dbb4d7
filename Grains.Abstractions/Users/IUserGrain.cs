namespace Marketplace.Users;

/// <summary>A user. The key is the user's id.</summary>
[Alias("users.user")]
public interface IUserGrain : IGrainWithGuidKey
{
    /// <summary>The user's profile; null when there is no such user (any more).</summary>
    [Alias("get")]
    ValueTask<UserProfile?> GetProfile();

    /// <summary>Changes what <paramref name="edit"/> names, if the profile still has one of the versions given.</summary>
    /// <param name="edit">What changes; validated.</param>
    /// <param name="versions">The versions that the caller would change; null for whichever there is.</param>
    [Alias("edit")]
    ValueTask<EditResult> Edit(ProfileEdit edit, IReadOnlyList<int>? versions);

    /// <summary>Deletes the user, all sessions and mail not yet sent, and frees the address.</summary>
    /// <param name="versions">As for <see cref="Edit"/>.</param>
    [Alias("delete")]
    ValueTask<EditOutcome> Delete(IReadOnlyList<int>? versions);
}

/// <summary>What a user sees of itself.</summary>
/// <param name="Id">The grain's key.</param>
/// <param name="Email">As its owner wrote it.</param>
/// <param name="EmailVerified">Whether the owner of the address has confirmed.</param>
/// <param name="DisplayName">1 to 100 characters.</param>
/// <param name="TimeZone">An IANA id.</param>
/// <param name="Roles">See <see cref="UserRoles"/>.</param>
/// <param name="CreatedAt">When the account was asked for.</param>
/// <param name="Version">Grows with every change; the ETag.</param>
[GenerateSerializer, Immutable, Alias("users.profile")]
public sealed record UserProfile(
    [property: Id(0)] Guid Id,
    [property: Id(1)] string Email,
    [property: Id(2)] bool EmailVerified,
    [property: Id(3)] string DisplayName,
    [property: Id(4)] string TimeZone,
    [property: Id(5)] IReadOnlyList<string> Roles,
    [property: Id(6)] DateTimeOffset CreatedAt,
    [property: Id(7)] int Version);

/// <summary>A change to a profile; null leaves a field as it is.</summary>
[GenerateSerializer, Immutable, Alias("users.profile-edit")]
public sealed record ProfileEdit([property: Id(0)] string? DisplayName, [property: Id(1)] string? TimeZone);

/// <summary>How a change went; <paramref name="Profile"/> is the new one if it succeeded.</summary>
[GenerateSerializer, Immutable, Alias("users.edit-result")]
public sealed record EditResult([property: Id(0)] EditOutcome Outcome, [property: Id(1)] UserProfile? Profile = null);

[GenerateSerializer, Alias("users.edit-outcome")]
public enum EditOutcome
{
    Success = 0,
    NotFound = 1,
    VersionMismatch = 2,
}
