using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.Options;

namespace WebFrontend.Tests.Users;

public sealed class AccountPathTests(UsersApp fixture) : IClassFixture<UsersApp>
{
    private readonly MarketplaceApp _app = fixture.App;

    [Fact]
    public async Task A_user_registers_verifies_logs_in_edits_refreshes_logs_out_and_deletes()
    {
        const string Email = "Whole.Path@Example.com";
        await _app.RegisterAsync(Email);
        Assert.Equal("invalid-credentials", await ProblemOf(await Post("login", new { email = Email, password = MarketplaceApp.Password }), 401));
        await _app.VerifyAsync(await _app.TokenFromMailAsync(Email));
        var user = await _app.LoginAsync("  whole.path@EXAMPLE.com ");
        using var client = _app.ClientOf(user);

        using var seen = await client.GetAsync("/api/v1/users/me");
        Assert.Equal(HttpStatusCode.OK, seen.StatusCode);
        var profile = (await seen.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal(Email, (string?)profile["email"]);
        Assert.True((bool?)profile["emailVerified"]);
        Assert.Equal(["candidate"], profile["roles"]!.AsArray().Select(role => (string?)role));

        using var edited = await Patch(client, seen.Headers.ETag, """{"displayName":"Ada","timeZone":"Europe/Berlin"}""");
        Assert.Equal(HttpStatusCode.OK, edited.StatusCode);
        profile = (await edited.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal(("Ada", "Europe/Berlin"), ((string?)profile["displayName"], (string?)profile["timeZone"]));
        Assert.NotEqual(seen.Headers.ETag, edited.Headers.ETag);
        Assert.Equal("version-mismatch", await ProblemOf(await Patch(client, seen.Headers.ETag, """{"displayName":"Bob"}"""), 412));
        Assert.Equal("precondition-required", await ProblemOf(await Patch(client, null, """{"displayName":"Bob"}"""), 428));

        using var refreshed = await Post("refresh", new { refreshToken = user.RefreshToken });
        Assert.Equal(HttpStatusCode.OK, refreshed.StatusCode);
        var refreshToken = (string?)(await refreshed.Content.ReadFromJsonAsync<JsonObject>())!["refreshToken"];
        Assert.NotEqual(user.RefreshToken, refreshToken);
        using var loggedOut = await Post("logout", new { refreshToken });
        Assert.Equal(HttpStatusCode.NoContent, loggedOut.StatusCode);
        Assert.Equal("session-ended", await ProblemOf(await Post("refresh", new { refreshToken }), 401));

        Assert.Equal("precondition-required", await ProblemOf(await client.DeleteAsync("/api/v1/users/me"), 428));
        using var delete = new HttpRequestMessage(HttpMethod.Delete, "/api/v1/users/me") { Headers = { IfMatch = { edited.Headers.ETag! } } };
        using var deleted = await client.SendAsync(delete);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal("unauthorized", await ProblemOf(await client.GetAsync("/api/v1/users/me"), 401));
        Assert.Equal("invalid-credentials", await ProblemOf(await Post("login", new { email = Email, password = MarketplaceApp.Password }), 401));

        await _app.RegisterAsync(Email, "another long password");
        await _app.VerifyAsync(await _app.TokenFromMailAsync(Email, mails: 2));
        using var again = _app.ClientOf(await _app.LoginAsync(Email, "another long password"));
        using var newProfile = await again.GetAsync("/api/v1/users/me");
        Assert.NotEqual((string?)profile["id"], (string?)(await newProfile.Content.ReadFromJsonAsync<JsonObject>())!["id"]);
        Assert.Equal("unauthorized", await ProblemOf(await client.GetAsync("/api/v1/users/me"), 401));
    }

    [Fact]
    public async Task A_link_that_is_opened_twice_is_good_twice()
    {
        await _app.RegisterAsync("twice@example.com");
        var token = await _app.TokenFromMailAsync("twice@example.com");
        await _app.VerifyAsync(token);
        await _app.VerifyAsync(token);
    }

    [Fact]
    public async Task A_stranger_who_registers_an_unverified_address_neither_blocks_it_nor_gets_in()
    {
        const string Email = "owner@example.com";
        const string Before = "strangers password 1";
        const string After = "strangers password 2";
        await _app.RegisterAsync(Email, Before);
        await _app.MailsAsync(Email, 1);
        await _app.RegisterAsync(Email);
        var ownersLink = await _app.TokenFromMailAsync(Email, mails: 2);
        await _app.RegisterAsync(Email, After);
        var strangersLink = await _app.TokenFromMailAsync(Email, mails: 3);

        await _app.VerifyAsync(ownersLink);
        await _app.LoginAsync(Email);
        foreach (var password in new[] { Before, After })
        {
            Assert.Equal("invalid-credentials", await ProblemOf(await Post("login", new { email = Email, password }), 401));
        }

        Assert.Equal("validation", await ProblemOf(await Post("verify-email", new { token = strangersLink }), 400));
    }

    [Fact]
    public async Task Of_fifty_pairs_that_race_for_an_address_each_leaves_one_user()
    {
        var pairs = Enumerable.Range(0, 50).Select(i => $"race{i}@example.com");
        await Task.WhenAll(pairs.SelectMany(email => new[] { _app.RegisterAsync(email), _app.RegisterAsync(email.ToUpperInvariant()) }));
        Assert.Equal(50, await _app.CountAsync("users", "email_folded LIKE 'race%'"));
        Assert.Equal(100, await _app.CountAsync("email_verifications v JOIN users u ON u.id = v.user_id", "email_folded LIKE 'race%'"));
    }

    [Fact]
    public async Task Nothing_tells_who_is_registered()
    {
        await _app.RegisterAndLoginAsync("known@example.com");
        foreach (var (path, body) in new (string, Func<string, object>)[]
        {
            ("register", email => new { email, password = "some other password" }),
            ("login", email => new { email, password = "neither's password" }),
            ("login", email => new { email, password = "some other password" }), // which a stranger has just given to both
            ("email-check", email => new { email }),
        })
        {
            using var known = await Post(path, body("known@example.com"));
            using var unknown = await Post(path, body("unknown@example.com"));
            Assert.Equal(known.StatusCode, unknown.StatusCode);
            Assert.Equal(await WithoutTraceId(known), await WithoutTraceId(unknown));
        }

        var mails = await _app.MailsAsync("known@example.com", 2);
        Assert.Equal("You already have an account", mails[1].Subject);
        await _app.LoginAsync("known@example.com");
    }

    [Fact]
    public async Task The_email_check_discloses_only_when_the_operator_chose_so()
    {
        await using var app = await MarketplaceApp.StartAsync(("Users:DiscloseRegistered", "true"));
        await app.RegisterAndLoginAsync("there@example.com");
        await app.RegisterAsync("claimed@example.com"); // by whom is not known before the link is opened
        foreach (var (email, status) in new[]
        {
            ("There@example.com", "registered"), ("claimed@example.com", "available"), ("nobody@example.com", "available"),
        })
        {
            using var answer = await app.Client.PostAsJsonAsync("/api/v1/auth/email-check", new { email });
            Assert.Equal(status, (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["status"]);
        }
    }

    [Fact]
    public async Task Strangers_neither_fill_a_mailbox_nor_push_the_owners_link_out()
    {
        await using var app = await MarketplaceApp.StartAsync(("Limits:Policies:register-account:Limit", "12"));
        await app.RegisterAndLoginAsync("member@example.com");
        await app.RegisterAsync("newcomer@example.com");
        var link = await app.TokenFromMailAsync("newcomer@example.com");
        foreach (var email in new[] { "newcomer@example.com", "Member@example.com" })
        {
            for (var i = 0; i < 11; i++)
            {
                await app.RegisterAsync(email, "a stranger's password");
            }

            var refused = await app.Client.PostAsJsonAsync("/api/v1/auth/register", new { email, password = MarketplaceApp.Password });
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.Equal("rate-limited", await ProblemOf(refused, 429));
        }

        await app.RegisterAsync("another@example.com");
        await app.VerifyAsync(link);
    }

    [Fact]
    public async Task A_registration_that_fails_for_trouble_of_ours_does_not_count()
    {
        await using var app = await MarketplaceApp.StartAsync(("Limits:Policies:register-account:Limit", "1"));
        var registration = new { email = "patient@example.com", password = MarketplaceApp.Password };
        await ExecuteAsync(app, """
            CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE 'as an administrator stops a server' USING ERRCODE = 'admin_shutdown'; END $$;
            CREATE TRIGGER stop BEFORE INSERT ON users EXECUTE FUNCTION stop();
            """);
        Assert.Equal("unavailable", await ProblemOf(await app.Client.PostAsJsonAsync("/api/v1/auth/register", registration), 503));
        await ExecuteAsync(app, "DROP TRIGGER stop ON users");

        await app.RegisterAsync(registration.email);
        Assert.Equal("rate-limited", await ProblemOf(await app.Client.PostAsJsonAsync("/api/v1/auth/register", registration), 429));
    }

    [Fact]
    public async Task The_right_password_is_right_for_all_who_log_in_while_it_is_hashed_anew()
    {
        const string Email = "rehashed@example.com";
        await _app.RegisterAndLoginAsync(Email);
        var weak = new PasswordHasher<object>(Options.Create(new PasswordHasherOptions { IterationCount = 500 }))
            .HashPassword(new(), MarketplaceApp.Password);
        await using (var command = _app.Database.CreateCommand("UPDATE users SET password_hash = $1 WHERE email_folded = $2"))
        {
            command.Parameters.Add(new() { Value = weak });
            command.Parameters.Add(new() { Value = Email });
            await command.ExecuteNonQueryAsync();
        }

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _app.LoginAsync(Email)));
        Assert.Equal(0, await _app.CountAsync("users", $"password_hash = '{weak}'"));
    }

    private static async Task ExecuteAsync(MarketplaceApp app, string sql)
    {
        await using var command = app.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private Task<HttpResponseMessage> Post(string path, object body) => _app.Client.PostAsJsonAsync($"/api/v1/auth/{path}", body);

    private static async Task<HttpResponseMessage> Patch(HttpClient client, EntityTagHeaderValue? etag, string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, "/api/v1/users/me")
        {
            Content = new StringContent(json, new MediaTypeHeaderValue("application/merge-patch+json")),
        };
        if (etag is not null)
        {
            request.Headers.IfMatch.Add(etag);
        }

        return await client.SendAsync(request);
    }

    private static Task<string> ProblemOf(HttpResponseMessage answer, int status) => UsersApp.ProblemTypeOf(answer, status);

    private static async Task<string> WithoutTraceId(HttpResponseMessage answer)
    {
        var json = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        json.Remove("traceId");
        return json.ToJsonString();
    }
}
