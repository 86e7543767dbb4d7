using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace WebFrontend.Tests.Users;

public sealed class SessionTests(UsersApp fixture) : IClassFixture<UsersApp>
{
    private readonly MarketplaceApp _app = fixture.App;

    [Fact]
    public async Task A_client_that_lost_the_answer_may_refresh_once_more()
    {
        var user = await _app.RegisterAndLoginAsync("lost@example.com");
        var first = await RefreshAsync(_app, user.RefreshToken);
        var second = await RefreshAsync(_app, user.RefreshToken);
        Assert.NotNull(first);
        Assert.NotNull(second);
        Assert.NotEqual(first, second);
        Assert.NotNull(await RefreshAsync(_app, second));
    }

    [Fact]
    public async Task A_refresh_token_used_again_once_its_answer_was_used_ends_the_session()
    {
        var user = await _app.RegisterAndLoginAsync("replayed@example.com");
        var first = await RefreshAsync(_app, user.RefreshToken);
        var second = await RefreshAsync(_app, first!);
        Assert.NotNull(second);
        Assert.Null(await RefreshAsync(_app, user.RefreshToken)); // within the grace
        Assert.Null(await RefreshAsync(_app, second));
    }

    [Fact]
    public async Task Of_the_tokens_that_replace_one_only_one_is_ever_used()
    {
        var user = await _app.RegisterAndLoginAsync("rivals@example.com");
        var one = await RefreshAsync(_app, user.RefreshToken);
        var other = await RefreshAsync(_app, user.RefreshToken);
        var living = await RefreshAsync(_app, one!);
        Assert.NotNull(living);
        Assert.Null(await RefreshAsync(_app, other!));
        Assert.Null(await RefreshAsync(_app, living));
    }

    [Fact]
    public async Task A_new_session_lives_whatever_time_the_others_were_started_at()
    {
        await using var app = await MarketplaceApp.StartAsync(("Users:MaxSessions", "1"));
        await app.RegisterAndLoginAsync("future@example.com");
        await using (var command = app.Database.CreateCommand("UPDATE session_families SET created_at = created_at + interval '1 h'"))
        {
            await command.ExecuteNonQueryAsync();
        }

        Assert.NotNull(await RefreshAsync(app, (await app.LoginAsync("future@example.com")).RefreshToken));
        Assert.Equal(1, await app.CountAsync("session_families"));
    }

    [Fact]
    public async Task A_refresh_token_used_again_later_ends_its_session_and_no_other()
    {
        await using var app = await MarketplaceApp.StartAsync(("Users:RefreshGrace", "00:00:00"), ("Users:MaxSessions", "2"));
        var stolen = await app.RegisterAndLoginAsync("stolen@example.com");
        var other = await app.LoginAsync("stolen@example.com");
        var next = await RefreshAsync(app, stolen.RefreshToken);
        Assert.NotNull(next);
        Assert.Null(await RefreshAsync(app, stolen.RefreshToken));
        Assert.Null(await RefreshAsync(app, next));
        var living = await RefreshAsync(app, other.RefreshToken);
        Assert.NotNull(living);

        await app.LoginAsync("stolen@example.com");
        Assert.NotNull(living = await RefreshAsync(app, living));
        await app.LoginAsync("stolen@example.com");
        Assert.Null(await RefreshAsync(app, living)); // the oldest of three where two may be
        Assert.Equal(2, await app.CountAsync("session_families"));
        Assert.Equal(0, await app.CountAsync("refresh_tokens", "octet_length(token_hash) <> 32"));
    }

    [Fact]
    public async Task The_operators_of_the_setting_have_the_role_once_verified()
    {
        var user = await _app.RegisterAndLoginAsync("Operator@Example.com");
        using var client = _app.ClientOf(user);
        using var answer = await client.GetAsync("/api/v1/users/me");
        var roles = (await answer.Content.ReadFromJsonAsync<JsonObject>())!["roles"]!.AsArray().Select(role => (string?)role);
        Assert.Equal(["candidate", "operator"], roles);
    }

    private static async Task<string?> RefreshAsync(MarketplaceApp app, string refreshToken)
    {
        using var answer = await app.Client.PostAsJsonAsync("/api/v1/auth/refresh", new { refreshToken });
        return answer.IsSuccessStatusCode
            ? (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["refreshToken"]
            : null;
    }
}
