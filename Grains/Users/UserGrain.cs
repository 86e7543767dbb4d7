using Marketplace.Grains.Mail;
using Marketplace.Trouble;
using Marketplace.Users;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Marketplace.Grains.Users;

/// <summary>
/// A user, kept in memory and written through to its row; the version fences. A write that finds another version was made
/// by an activation that is no longer the only one: it forgets what it holds and the caller tries again.
/// <para>
/// A registration proves nothing until the link of its own mail is opened. Anybody may register anybody's address, so an
/// unverified account belongs to nobody: it opens no session, and registering the address again is allowed to everybody.
/// Each link carries the password that was given with it, and opening it makes exactly that one the account's. A stranger
/// thus can neither block an address (the owner's own link still works, whoever registered before or after) nor wait in it
/// with a password of his own (that one takes effect only if the owner opens the stranger's link, and voids all the others).
/// At most he holds up a registration, for as long as he goes on spending its limit (<see cref="UserLimits.RegisterAccount"/>).
/// Nor is he told that an address is free: a login with the password that he gave it is answered as any wrong one.
/// </para>
/// </summary>
[GrainType("users.user")]
internal sealed partial class UserGrain(
    NpgsqlDataSource dataSource,
    Outbox outbox,
    UserMails mails,
    AccessTokenIssuer accessTokens,
    IOptions<UsersSettings> settings,
    TimeProvider clock,
    ILogger<UserGrain> logger) : Grain, IUserGrain, IUserAccountGrain
{
    private UserState? _user;

    private Guid Id => this.GetPrimaryKey();

    public async ValueTask<UserProfile?> GetProfile() => (await LoadAsync())?.ToProfile(settings.Value.Operators);

    public async ValueTask<EditResult> Edit(ProfileEdit edit, IReadOnlyList<int>? versions)
    {
        if (await LoadAsync() is not { } user)
        {
            return new(EditOutcome.NotFound);
        }

        if (versions?.Contains(user.Version) == false)
        {
            return new(EditOutcome.VersionMismatch);
        }

        var changed = user with { DisplayName = edit.DisplayName ?? user.DisplayName, TimeZone = edit.TimeZone ?? user.TimeZone };
        if (changed != user)
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            changed = changed with { Version = user.Version + 1 };
            Forget();
            FenceUnless(await UserStore.UpdateAsync(connection, changed));
            _user = changed;
        }

        return new(EditOutcome.Success, changed.ToProfile(settings.Value.Operators));
    }

    public async ValueTask<EditOutcome> Delete(IReadOnlyList<int>? versions)
    {
        if (await LoadAsync() is not { } user)
        {
            return EditOutcome.NotFound;
        }

        if (versions?.Contains(user.Version) == false)
        {
            return EditOutcome.VersionMismatch;
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Forget();
        FenceUnless(await UserStore.DeleteAsync(connection, user.Id, user.Version));
        await Outbox.RemoveOfUserAsync(connection, user.Id);
        await transaction.CommitAsync();
        LogDeleted(user.Id);
        DeactivateOnIdle();
        return EditOutcome.Success;
    }

    public async ValueTask<bool> Create(PendingAccount account)
    {
        if (await LoadAsync() is not null)
        {
            return true; // a repeated call: the first one did it
        }

        var now = clock.GetUtcNow();
        var user = new UserState(
            Id, ParseEmail(account), VerifiedAt: null, account.DisplayName, account.TimeZone, [UserRoles.Candidate],
            account.PasswordHash.Value, Version: 1, now);
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (!await UserStore.InsertAsync(connection, user))
        {
            DeactivateOnIdle();
            return false;
        }

        Forget();
        await AddVerificationAsync(connection, user, now);
        await transaction.CommitAsync();
        outbox.WakeUp();
        return true;
    }

    public async ValueTask<bool> RegisterAgain(PendingAccount account)
    {
        if (await LoadAsync() is not { } user)
        {
            return false;
        }

        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (user.IsVerified)
        {
            await outbox.AddAsync(connection, mails.AlreadyRegistered(user.Id, user.Email.Given));
        }
        else
        {
            // The row shows the newest registration; which one counts is decided by the links. The creation time is that of
            // the last registration, so that the sweep leaves a living one alone.
            var now = clock.GetUtcNow();
            Forget();
            user = user with
            {
                Email = ParseEmail(account),
                PasswordHash = account.PasswordHash.Value,
                DisplayName = account.DisplayName,
                TimeZone = account.TimeZone,
                Version = user.Version + 1,
                CreatedAt = now,
            };
            if (!await UserStore.UpdateAsync(connection, user))
            {
                return false;
            }

            await AddVerificationAsync(connection, user, now);
        }

        await transaction.CommitAsync();
        outbox.WakeUp();
        return true;
    }

    public async ValueTask<bool> Verify(byte[] tokenHash)
    {
        if (await LoadAsync() is not { } user)
        {
            return false;
        }

        var now = clock.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var link = await UserStore.FindVerificationAsync(connection, user.Id, tokenHash);
        if (link is null || now >= link.ExpiresAt)
        {
            return false;
        }

        if (link.UsedAt is not null || user.IsVerified)
        {
            return link.UsedAt is not null;
        }

        Forget();
        FenceUnless(await UserStore.UpdateAsync(connection, user with
        {
            VerifiedAt = now,
            PasswordHash = link.PasswordHash,
            DisplayName = link.DisplayName,
            TimeZone = link.TimeZone,
            Version = user.Version + 1,
        }));
        await UserStore.UseVerificationAsync(connection, user.Id, tokenHash, now);
        await transaction.CommitAsync();
        return true;
    }

    private static EmailAddress ParseEmail(PendingAccount account) => EmailAddress.TryParse(account.Email, out var email)
        ? email
        : throw new ArgumentException("The address isn't valid.", nameof(account));

    private async Task AddVerificationAsync(NpgsqlConnection connection, UserState user, DateTimeOffset now)
    {
        var token = OpaqueToken.Create();
        await UserStore.AddVerificationAsync(connection, user, token.Hash, now, now + settings.Value.VerificationLifetime);
        await outbox.AddAsync(connection, mails.Verification(user.Id, user.Email.Given, token));
    }

    private async ValueTask<UserState?> LoadAsync()
    {
        if (_user is null)
        {
            await using var connection = await dataSource.OpenConnectionAsync();
            _user = await UserStore.FindAsync(connection, Id);
        }

        return _user;
    }

    /// <summary>Before a transaction whose end may stay unknown: the next call reads what came of it.</summary>
    private void Forget() => _user = null;

    private void FenceUnless(bool written)
    {
        if (!written)
        {
            Forget();
            DeactivateOnIdle();
            throw new UnavailableException("The user was changed elsewhere.");
        }
    }

    [LoggerMessage(LogLevel.Information, "User {UserId} was deleted")]
    private partial void LogDeleted(Guid userId);
}
