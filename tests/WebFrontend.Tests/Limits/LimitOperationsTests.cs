using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using WebFrontend.Tests.Users;

namespace WebFrontend.Tests.Limits;

/// <summary>Limits as an operator sees and changes them, over HTTP.</summary>
public sealed class LimitOperationsTests : IAsyncLifetime
{
    private const string Policies = "/api/v1/operations/limits";
    private const string Check = "email-check";
    private const string Address = "198.51.100.7";
    private const string Partition = $"{Policies}/{Check}/partitions/{Address}";
    private MarketplaceApp _app = null!;
    private HttpClient _operator = null!;

    public async ValueTask InitializeAsync()
    {
        _app = await MarketplaceApp.StartAsync(("Users:Operators:0", "operator@example.com"));
        _operator = _app.ClientOf(await _app.RegisterAndLoginAsync("operator@example.com"));
    }

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task Only_operators_get_in()
    {
        using var candidate = _app.ClientOf(await _app.RegisterAndLoginAsync("candidate@example.com"));
        foreach (var (method, path) in new[]
        {
            (HttpMethod.Get, Policies),
            (HttpMethod.Get, $"{Policies}/general"),
            (HttpMethod.Put, $"{Policies}/general"),
            (HttpMethod.Delete, $"{Policies}/general"),
            (HttpMethod.Get, $"{Policies}/general/partitions/a"),
            (HttpMethod.Delete, $"{Policies}/general/partitions/a"),
        })
        {
            Assert.Equal("unauthorized", await UsersApp.ProblemTypeOf(await _app.Client.SendAsync(new(method, path)), 401));
            Assert.Equal("forbidden", await UsersApp.ProblemTypeOf(await candidate.SendAsync(new(method, path)), 403));
        }
    }

    [Fact]
    public async Task A_policy_is_listed_changed_and_restored_and_each_step_has_a_version_of_its_own()
    {
        var list = (await _operator.GetFromJsonAsync<JsonObject>(Policies))!["policies"]!.AsArray();
        Assert.Equal(["email-check", "email-check-account", "general", "login", "login-account", "register", "register-account"], list.Select(policy => (string)policy!["name"]!));
        Assert.All(list, policy => Assert.Equal(("configured", 0), ((string)policy!["source"]!, (int)policy["version"]!)));

        var (settings, etag) = await GetAsync("general");
        Assert.Equal("\"0\"", etag);
        Assert.Equal((100_000, "00:15:00"), ((int)settings["limit"]!, (string)settings["window"]!));

        settings["limit"] = 150;
        settings["algorithm"] = "SlidingWindow";
        settings["exemptPaths"] = new JsonArray("/api/v1/operations");
        using var changed = await PutAsync("general", settings, etag);
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal("\"1\"", changed.Headers.ETag!.Tag);
        var answer = (await changed.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal(("changed", 1), ((string)answer["source"]!, (int)answer["version"]!));
        Assert.True(JsonNode.DeepEquals(settings, answer["settings"]), answer.ToJsonString());

        using var restored = await DeleteAsync("general", "\"1\"");
        Assert.Equal("\"2\"", restored.Headers.ETag!.Tag);
        var after = (await restored.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal(("configured", 100_000), ((string)after["source"]!, (int)after["settings"]!["limit"]!));

        Assert.Equal(1, await _app.CountAsync("limit_policy_changes", "action = 'change' AND version = 1"));
        Assert.Equal(1, await _app.CountAsync(
            "limit_policy_changes", "action = 'restore' AND changed_by = (SELECT id::text FROM users WHERE email = 'operator@example.com')"));
    }

    [Fact]
    public async Task A_change_needs_the_version_that_it_replaces()
    {
        var (settings, etag) = await GetAsync("login");

        Assert.Equal("precondition-required", await UsersApp.ProblemTypeOf(await PutAsync("login", settings, etag: null), 428));
        Assert.Equal("precondition-required", await UsersApp.ProblemTypeOf(await DeleteAsync("login", etag: null), 428));
        Assert.Equal("validation", await UsersApp.ProblemTypeOf(await PutAsync("login", settings, "0"), 400));
        Assert.Equal("version-mismatch", await UsersApp.ProblemTypeOf(await PutAsync("login", settings, "\"3\""), 412));
        Assert.Equal("version-mismatch", await UsersApp.ProblemTypeOf(await DeleteAsync("login", "\"3\""), 412));
        Assert.Equal(etag, (await GetAsync("login")).ETag);
        using var whichever = await PutAsync("login", settings, "*");
        Assert.Equal("\"1\"", whichever.Headers.ETag!.Tag);
    }

    [Fact]
    public async Task What_endpoints_do_not_declare_is_not_found()
    {
        var (settings, _) = await GetAsync("login");

        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await _operator.GetAsync($"{Policies}/unheard-of"), 404));
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await PutAsync("unheard-of", settings, "*"), 404));
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await DeleteAsync("unheard-of", "*"), 404));
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await _operator.GetAsync($"{Policies}/unheard-of/partitions/a"), 404));
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await _operator.DeleteAsync($"{Policies}/unheard-of/partitions/a"), 404));
    }

    [Fact]
    public async Task All_that_is_wrong_with_a_policy_is_told_at_once()
    {
        var (settings, _) = await GetAsync("login");
        settings["algorithm"] = "LeakyBucket";
        settings["limit"] = 0;
        settings["window"] = "a while";
        settings["shadow"] = "no";
        settings["key"] = "zodiac";
        settings["exemptAddresses"] = new JsonArray("10.0.0.0/8", "nowhere");
        settings["exemptUsers"] = new JsonArray((JsonNode?)null);
        settings["exemptPaths"] = new JsonArray("api");
        settings["burst"] = 3;
        settings.Remove("segments");

        using var answer = await PutAsync("login", settings, "*");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal("/problems/validation", (string)problem["type"]!);
        Assert.Equal(
            ["algorithm", "burst", "exemptAddresses", "exemptPaths", "exemptUsers", "key", "limit", "segments", "shadow", "window"],
            problem["errors"]!.AsObject().Select(error => error.Key).Order(StringComparer.Ordinal));
        Assert.Equal("is '0'; it must be from 1 to 1000000000.", (string)problem["errors"]!["limit"]![0]!);
        Assert.Equal("\"0\"", (await GetAsync("login")).ETag);
    }

    [Theory]
    [InlineData("exemptAddresses")]
    [InlineData("exemptUsers")]
    [InlineData("exemptRoles")]
    [InlineData("exemptPaths")]
    public async Task An_exemption_that_is_no_good_is_named(string field)
    {
        var (settings, _) = await GetAsync("login");
        foreach (var items in new[] { ["/a\0"], ["/a\n"], ["/" + new string('a', 256)], Enumerable.Repeat(field == "exemptAddresses" ? "10.0.0.7" : "/a", 1001) })
        {
            settings[field] = new JsonArray([.. items.Select(item => JsonValue.Create(item))]);

            using var answer = await PutAsync("login", settings, "*");

            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
            Assert.Equal([field], problem["errors"]!.AsObject().Select(error => error.Key));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"\\ud800\": 1}")]
    [InlineData("{\"exemptUsers\": [\"\\ud800\"]}")]
    [InlineData("{\"limit\": 1")]
    [InlineData("{\"limit\": 1, \"limit\": 2}")]
    public async Task What_is_no_policy_is_refused(string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"{Policies}/login")
        {
            Content = new StringContent(body, new MediaTypeHeaderValue("application/json")),
            Headers = { { "If-Match", "*" } },
        };

        Assert.Equal("validation", await UsersApp.ProblemTypeOf(await _operator.SendAsync(request), 400));
    }

    [Fact]
    public async Task A_lowered_limit_binds_with_the_counts_kept_and_a_partition_shows_and_forgets_them()
    {
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await AskAsync());
        }

        await LimitTo(5);
        await UntilAsync(HttpStatusCode.TooManyRequests);
        var full = await PeekAsync();
        Assert.Equal((5, 0, 1), ((int)full["limit"]!, (int)full["remaining"]!, (int)full["policyVersion"]!));
        Assert.InRange((int)full["used"]!, 5, 100_000);
        Assert.InRange((int)full["resetsInSeconds"]!, 1, 60);

        using var reset = await _operator.DeleteAsync(Partition);
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        await UntilAsync(HttpStatusCode.OK);
        Assert.Equal(1, await _app.CountAsync("limit_policy_changes", $"action = 'reset-partition' AND partition = '{Address}'"));
    }

    [Fact]
    public async Task A_reset_reaches_a_frontend_that_remembers_a_refusal_of_a_bucket_that_has_left_memory()
    {
        await LimitTo(1);
        await UntilAsync(HttpStatusCode.TooManyRequests);
        await _app.Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);

        using var reset = await _operator.DeleteAsync(Partition);
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        await UntilAsync(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("2001:db8::/64", "2001:db8::/64")]
    [InlineData("2001:db8::%2F64", "2001:db8::/64")]
    [InlineData("ada+%2fapi%2fv1", "ada+/api/v1")]
    public async Task A_partition_is_found_by_its_key_with_slashes_escaped_or_not(string inPath, string partition)
    {
        var bucket = _app.Grains.GetGrain<Marketplace.Limits.IBucketGrain>($"register|{partition}");
        await bucket.Exchange(new(Guid.NewGuid(), 1, Wanted: 3, 0, 0, default, null));

        var view = (await _operator.GetFromJsonAsync<JsonObject>($"{Policies}/register/partitions/{inPath}"))!;

        Assert.Equal(3, (int)view["used"]!);
    }

    private async Task LimitTo(int limit)
    {
        var (settings, _) = await GetAsync(Check);
        settings["limit"] = limit;
        using var changed = await PutAsync(Check, settings, "*");
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
    }

    /// <summary>A change is to be felt within a second, which is tested on a cluster; here it may be held up.</summary>
    private async Task UntilAsync(HttpStatusCode status)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (await AskAsync() != status)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(5), $"{status} did not come");
        }
    }

    private async Task<HttpStatusCode> AskAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/email-check")
        {
            Content = JsonContent.Create(new { email = "ada@example.org" }),
            Headers = { { "X-Forwarded-For", Address } },
        };
        using var answer = await _app.Client.SendAsync(request);
        return answer.StatusCode;
    }

    private async Task<JsonObject> PeekAsync() =>
        (await _operator.GetFromJsonAsync<JsonObject>(Partition))!;

    private async Task<(JsonObject Settings, string ETag)> GetAsync(string policy)
    {
        using var answer = await _operator.GetAsync($"{Policies}/{policy}");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        return (body["settings"]!.DeepClone().AsObject(), answer.Headers.ETag!.Tag);
    }

    private async Task<HttpResponseMessage> PutAsync(string policy, JsonObject settings, string? etag) =>
        await SendAsync(HttpMethod.Put, policy, etag, JsonContent.Create(settings));

    private async Task<HttpResponseMessage> DeleteAsync(string policy, string? etag) => await SendAsync(HttpMethod.Delete, policy, etag, content: null);

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string policy, string? etag, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, $"{Policies}/{policy}") { Content = content };
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        return await _operator.SendAsync(request);
    }
}
