namespace Marketplace.Users;

/// <summary>
/// What can be done knowing an address or a token but not the user: finds the user and asks its grain. Any key will do. All
/// calls may throw <see cref="Trouble.UnavailableException"/>, also because too many passwords wait for a core.
/// </summary>
[Alias("users.accounts")]
public interface IAccountsGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Starts an account, or mails the owner of the address that there is one. The caller can't tell which, nor by the time
    /// it takes.
    /// </summary>
    [Alias("register")]
    ValueTask Register(Registration registration);

    /// <summary>Ends a registration by the token that was mailed. False when the token isn't known or has expired.</summary>
    [Alias("verify-email")]
    ValueTask<bool> VerifyEmail(Secret token);

    /// <summary>
    /// Starts a session. An address that isn't registered takes as long as a wrong password, and so does the right password
    /// of one that isn't verified: it is the word of whoever registered the address last, to whom nothing may be told.
    /// </summary>
    [Alias("login")]
    ValueTask<LoginResult> Login(string email, Secret password);

    /// <summary>Trades a refresh token for new tokens of the same session; null when the session has ended or never was.</summary>
    [Alias("refresh")]
    ValueTask<SessionTokens?> Refresh(Secret refreshToken);

    /// <summary>Ends the session that the refresh token belongs to, if there is one.</summary>
    [Alias("logout")]
    ValueTask Logout(Secret refreshToken);

    /// <summary>Whether an address is registered, as far as the operator lets that be told.</summary>
    [Alias("check-email")]
    ValueTask<EmailStatus> CheckEmail(string email);
}

/// <summary>An account as asked for.</summary>
/// <param name="Email">A valid <see cref="EmailAddress"/>.</param>
/// <param name="Password">One that <see cref="PasswordPolicy"/> allows.</param>
/// <param name="DisplayName">1 to 100 characters.</param>
/// <param name="TimeZone">An IANA id.</param>
[GenerateSerializer, Immutable, Alias("users.registration")]
public sealed record Registration(
    [property: Id(0)] string Email, [property: Id(1)] Secret Password, [property: Id(2)] string DisplayName, [property: Id(3)] string TimeZone);

/// <summary>How a login went; <paramref name="Tokens"/> only if it succeeded.</summary>
[GenerateSerializer, Immutable, Alias("users.login-result")]
public sealed record LoginResult([property: Id(0)] LoginOutcome Outcome, [property: Id(1)] SessionTokens? Tokens = null);

[GenerateSerializer, Alias("users.login-outcome")]
public enum LoginOutcome
{
    Success = 0,

    /// <summary>No such verified account, or not its password.</summary>
    InvalidCredentials = 1,

    // 2 was used.
}

/// <summary>What a client holds of a session.</summary>
/// <param name="AccessToken">A JWT, see <see cref="AccessTokens"/>.</param>
/// <param name="ExpiresIn">How long it lasts from now.</param>
/// <param name="RefreshToken">Opaque; good for one <see cref="IAccountsGrain.Refresh"/>.</param>
/// <param name="RefreshExpiresIn">How long the session lasts from now, however often it is refreshed.</param>
[GenerateSerializer, Immutable, Alias("users.session-tokens")]
public sealed record SessionTokens(
    [property: Id(0)] Secret AccessToken,
    [property: Id(1)] TimeSpan ExpiresIn,
    [property: Id(2)] Secret RefreshToken,
    [property: Id(3)] TimeSpan RefreshExpiresIn);

[GenerateSerializer, Alias("users.email-status")]
public enum EmailStatus
{
    /// <summary>Not to be told.</summary>
    Undisclosed = 0,
    Registered = 1,
    Available = 2,
}
