using Marketplace.Users;
using Microsoft.Extensions.Logging;

namespace Marketplace.Grains.Users;

/// <summary>A user's sessions: families of refresh tokens, in PostgreSQL only, since they are used every ten minutes at most.</summary>
internal sealed partial class UserGrain
{
    public async ValueTask<LoginResult?> StartSession(Secret checkedHash, Secret? betterHash)
    {
        if (_user is { } held && held.PasswordHash != checkedHash.Value)
        {
            Forget(); // the caller has seen the row later than this activation
        }

        if (await LoadAsync() is not { IsVerified: true } user)
        {
            return new(LoginOutcome.InvalidCredentials);
        }

        if (user.PasswordHash != checkedHash.Value)
        {
            return null; // another password, or the same one hashed anew by a login at the same moment
        }

        var now = clock.GetUtcNow();
        var expiresAt = now + settings.Value.SessionLifetime;
        var familyId = Guid.CreateVersion7(now);
        var tokens = Issue(await accessTokens.KeyAsync(), user, familyId, OpaqueToken.Create(), expiresAt - now);

        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (betterHash is not null)
        {
            Forget();
            user = user with { PasswordHash = betterHash.Value, Version = user.Version + 1 };
            FenceUnless(await UserStore.UpdateAsync(connection, user));
        }

        FenceUnless(await SessionStore.StartAsync(connection, user, familyId, now, expiresAt, settings.Value.MaxSessions));
        await SessionStore.AddTokenAsync(connection, familyId, tokens.RefreshHash, now);
        await transaction.CommitAsync();
        return new(LoginOutcome.Success, tokens.Tokens);
    }

    public async ValueTask<SessionTokens?> Refresh(byte[] tokenHash)
    {
        if (await LoadAsync() is not { } user)
        {
            return null;
        }

        var key = await accessTokens.KeyAsync();
        await using var connection = await dataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        if (await SessionStore.LockAndFindAsync(connection, user.Id, tokenHash) is not { } stored)
        {
            return null;
        }

        var now = clock.GetUtcNow();
        switch (RefreshRule.Decide(stored, now, settings.Value.RefreshGrace))
        {
            case RefreshDecision.EndFamily:
                await SessionStore.EndAsync(connection, stored.FamilyId);
                await transaction.CommitAsync();
                LogReuse(user.Id, stored.FamilyId);
                return null;
            case RefreshDecision.Expired:
                return null;
        }

        // Signed before the commit: if that fails, the token the client has is still good.
        var tokens = Issue(key, user, stored.FamilyId, OpaqueToken.Create(), stored.FamilyExpiresAt - now);
        await SessionStore.UseTokenAsync(connection, tokenHash);
        await SessionStore.AddTokenAsync(connection, stored.FamilyId, tokens.RefreshHash, now, replaces: tokenHash);
        await transaction.CommitAsync();
        return tokens.Tokens;
    }

    private (SessionTokens Tokens, byte[] RefreshHash) Issue(
        SigningKey key, UserState user, Guid familyId, OpaqueToken refresh, TimeSpan refreshExpiresIn)
    {
        var roles = user.EffectiveRoles(settings.Value.Operators);
        var (access, expiresIn) = accessTokens.Issue(key, user.Id, familyId, roles, user.IsVerified);
        return (new(new(access), expiresIn, refresh.Text, refreshExpiresIn), refresh.Hash);
    }

    [LoggerMessage(LogLevel.Warning, "A refresh token of user {UserId} was used twice; session {SessionId} is ended")]
    private partial void LogReuse(Guid userId, Guid sessionId);
}
