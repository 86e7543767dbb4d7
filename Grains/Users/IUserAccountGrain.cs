using Marketplace.Users;

namespace Marketplace.Grains.Users;

/// <summary>
/// What silos alone ask of a user's grain: the frontends' assembly doesn't have it. Implemented by the same grain as
/// <see cref="IUserGrain"/>.
/// </summary>
[Alias("users.account")]
internal interface IUserAccountGrain : IGrainWithGuidKey
{
    /// <summary>Creates the user under a fresh id; false when the address has gone to another one.</summary>
    [Alias("create")]
    ValueTask<bool> Create(PendingAccount account);

    /// <summary>Somebody registers this user's address once more; false when the user is gone or has just changed.</summary>
    [Alias("register-again")]
    ValueTask<bool> RegisterAgain(PendingAccount account);

    /// <summary>Ends the registration that the token was mailed for; false when it isn't good (any more).</summary>
    [Alias("verify")]
    ValueTask<bool> Verify(byte[] tokenHash);

    /// <summary>Starts a session for somebody who knew the password; null if that is to be looked at once more.</summary>
    /// <param name="checkedHash">The hash that the password was compared with; null is returned if it is no longer the user's.</param>
    /// <param name="betterHash">Replaces it, if given.</param>
    [Alias("start-session")]
    ValueTask<LoginResult?> StartSession(Secret checkedHash, Secret? betterHash);

    /// <summary>As <see cref="IAccountsGrain.Refresh"/>.</summary>
    [Alias("refresh")]
    ValueTask<SessionTokens?> Refresh(byte[] tokenHash);
}

/// <summary>A registration whose password has been hashed.</summary>
[GenerateSerializer, Immutable, Alias("users.pending-account")]
internal sealed record PendingAccount(
    [property: Id(0)] string Email, [property: Id(1)] Secret PasswordHash, [property: Id(2)] string DisplayName, [property: Id(3)] string TimeZone);
