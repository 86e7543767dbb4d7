using Marketplace.Trouble;
using Marketplace.Users;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Concurrency;

namespace Marketplace.Grains.Users;

/// <summary>
/// Every silo answers, and one activation serves any number of calls at once: it holds nothing. What bounds it is
/// <see cref="PasswordHashing"/>.
/// </summary>
[StatelessWorker, Reentrant]
internal sealed class AccountsGrain(
    NpgsqlDataSource dataSource, PasswordHashing passwords, IOptions<UsersSettings> settings, TimeProvider clock)
    : Grain, IAccountsGrain
{
    /// <summary>Each attempt is lost only to a change of the same account at the same moment.</summary>
    private const int MaxAttempts = 5;

    /// <summary>Longer than a registration's statements normally take.</summary>
    private static readonly TimeSpan AnswerAfter = TimeSpan.FromMilliseconds(100);

    public async ValueTask Register(Registration registration)
    {
        // A taken address takes as long as a free one: the password is always hashed, and the answer waits until what differs
        // (a few statements more or less) is over.
        var hash = await passwords.HashAsync(registration.Password);
        var account = new PendingAccount(registration.Email, new(hash), registration.DisplayName, registration.TimeZone);
        var email = Parse(registration.Email);
        var pause = Task.Delay(AnswerAfter, clock);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var owner = await FindByEmailAsync(email);
            var done = owner is { Id: var id }
                ? await UserOf(id).RegisterAgain(account)
                : await UserOf(Guid.CreateVersion7(clock.GetUtcNow())).Create(account);
            if (done)
            {
                await pause;
                return;
            }
        }

        throw new UnavailableException("Too many registrations of one address at once.");
    }

    public async ValueTask<bool> VerifyEmail(Secret token)
    {
        if (!OpaqueToken.TryHash(token, out var hash))
        {
            return false;
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        var userId = await UserStore.FindUserOfVerificationAsync(connection, hash);
        await connection.CloseAsync(); // back to the pool while the user's grain works
        return userId is { } id && await UserOf(id).Verify(hash);
    }

    public async ValueTask<LoginResult> Login(string email, Secret password)
    {
        var address = Parse(email);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var owner = await FindByEmailAsync(address);
            var check = await passwords.CheckAsync(owner?.PasswordHash, password);
            if (owner is not { IsVerified: true } user || !check.IsRight)
            {
                return new(LoginOutcome.InvalidCredentials);
            }

            var better = check.BetterHash is { } hash ? new Secret(hash) : null;
            if (await UserOf(user.Id).StartSession(new(user.PasswordHash), better) is { } result)
            {
                return result;
            }
        }

        throw new UnavailableException("The account was changed at every attempt to log in.");
    }

    public async ValueTask<SessionTokens?> Refresh(Secret refreshToken)
    {
        if (!OpaqueToken.TryHash(refreshToken, out var hash))
        {
            return null;
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        var userId = await SessionStore.FindUserOfTokenAsync(connection, hash);
        await connection.CloseAsync();
        return userId is { } id ? await UserOf(id).Refresh(hash) : null;
    }

    public async ValueTask Logout(Secret refreshToken)
    {
        if (OpaqueToken.TryHash(refreshToken, out var hash))
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            await SessionStore.EndByTokenAsync(connection, hash);
        }
    }

    public async ValueTask<EmailStatus> CheckEmail(string email)
    {
        // Nothing is looked up that may not be told: not even the time that it takes.
        if (!settings.Value.DiscloseRegistered)
        {
            return EmailStatus.Undisclosed;
        }

        return await FindByEmailAsync(Parse(email)) is { IsVerified: true } ? EmailStatus.Registered : EmailStatus.Available;
    }

    private async Task<AccountOwner?> FindByEmailAsync(EmailAddress email)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        return await UserStore.FindByEmailAsync(connection, email);
    }

    private IUserAccountGrain UserOf(Guid id) => GrainFactory.GetGrain<IUserAccountGrain>(id);

    private static EmailAddress Parse(string email) => EmailAddress.TryParse(email, out var address)
        ? address
        : throw new ArgumentException("The address isn't valid.", nameof(email));
}
