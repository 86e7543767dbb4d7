using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Limits;

/// <summary>What applies where, who is counted, and what it costs; over HTTP.</summary>
public sealed class DeclaredLimitTests(LimitsApp fixture) : IClassFixture<LimitsApp>
{
    private static int _addresses;

    /// <summary>Two requests to a policy that admits one a partition: the second is refused if it is of the same partition.</summary>
    [Theory]
    [InlineData("by-address", "", "", 429)]
    [InlineData("by-address", "", "other-address", 200)]
    [InlineData("by-user", "user", "user other-address", 429)]
    [InlineData("by-user", "", "operator", 200)]
    [InlineData("by-user", "", "", 429)]
    [InlineData("by-user", "", "bad-token", 429)]
    [InlineData("by-user", "", "other-address", 200)]
    [InlineData("by-api-key", "X-Api-Key:a", "X-Api-Key:a other-address", 429)]
    [InlineData("by-api-key", "X-Api-Key:b", "X-Api-Key:c", 200)]
    [InlineData("by-api-key", "", "", 429)]
    [InlineData("by-header", "X-Tenant:a", "X-Tenant:a other-address", 429)]
    [InlineData("by-header", "X-Tenant:b", "X-Tenant:c", 200)]
    [InlineData("by-header", "", "other-address", 200)]
    [InlineData("by-both", "operator X-Tenant:a", "operator X-Tenant:b", 200)]
    [InlineData("by-both", "user X-Tenant:b", "user X-Tenant:b other-address", 429)]
    [InlineData("but-address", "from:203.0.113.5", "from:203.0.113.5", 200)]
    [InlineData("but-address", "from:203.0.113.77", "from:203.0.113.77", 429)]
    [InlineData("but-address6", "from:2001:db8:5:6::1", "from:2001:db8:5:6::1", 200)]
    [InlineData("but-address6", "from:2001:db8:7::1", "from:2001:db8:7::9", 429)]
    [InlineData("but-role", "operator", "operator", 200)]
    [InlineData("but-role", "user", "user", 429)]
    [InlineData("but-path/free", "", "", 200)]
    [InlineData("but-path/dear", "", "", 429)]
    [InlineData("in-shadow", "", "", 200)]
    [InlineData("free", "", "", 200)]
    [InlineData("paths/one", "POST", "POST", 429)]
    [InlineData("paths/two", "", "", 200)]
    [InlineData("dear", "", "", 429)]
    public async Task A_policy_counts_and_exempts_as_it_says(string path, string first, string second, int status)
    {
        var address = NewAddress();

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(path, address, first)).StatusCode);
        Assert.Equal(status, (int)(await SendAsync(path, address, second)).StatusCode);
    }

    [Fact]
    public async Task Routes_are_counted_apart_and_all_clients_together()
    {
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("by-route/1", NewAddress())).StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync("by-route/2", NewAddress())).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("by-route-too", NewAddress())).StatusCode);
    }

    [Fact]
    public async Task A_request_may_cost_more_than_one_permit()
    {
        var address = NewAddress();

        Assert.Contains("\"five\";r=3", Header(await SendAsync("double", address), "RateLimit"), StringComparison.Ordinal);
        Assert.Contains("\"five\";r=1", Header(await SendAsync("double", address), "RateLimit"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync("double", address)).StatusCode);
        Assert.Contains("\"five\";r=0", Header(await SendAsync("both", address), "RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_several_policies_all_are_taken_or_none()
    {
        var address = NewAddress();
        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 6; i++)
        {
            answers.Add(await SendAsync("both", address));
        }

        Assert.Equal(2, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        Assert.StartsWith("\"two\";r=0", Header(answers[^1], "RateLimit"), StringComparison.Ordinal);

        // Two permits of five were taken: 3 more are left, no less.
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("dear", address)).StatusCode);
    }

    [Fact]
    public async Task By_outcome_only_what_failed_counts()
    {
        var address = NewAddress();
        foreach (var status in new[] { 200, 500, 204, 404, 200, 201 })
        {
            Assert.Equal(status, (int)(await SendAsync($"failures/{status}", address)).StatusCode);
        }

        Assert.Equal(400, (int)(await SendAsync("failures/throw", address)).StatusCode);
        Assert.Equal(429, (int)(await SendAsync("failures/200", address)).StatusCode);
    }

    [Fact]
    public async Task Where_a_path_limits_besides_the_outcome_changes_nothing()
    {
        var address = NewAddress();
        foreach (var status in new[] { 200, 200, 429 })
        {
            Assert.Equal(status, (int)(await SendAsync("counted", address)).StatusCode);
        }
    }

    [Fact]
    public async Task A_policy_that_code_takes_permits_of_is_counted_once_where_a_path_names_it_too()
    {
        var address = NewAddress();
        foreach (var left in new[] { 99_999, 99_998 })
        {
            using var login = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/login")
            {
                Content = JsonContent.Create(new { email = "nobody@example.com", password = "wrong, and long enough" }),
                Headers = { { "X-Forwarded-For", address } },
            };
            var answer = await fixture.App.Client.SendAsync(login);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Contains($"\"login\";r={left};", Header(answer, "RateLimit"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_costs_more_than_there_is_costs_all()
    {
        var address = NewAddress();
        var first = await SendAsync("costly", address);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Contains("\"two\";r=0", Header(first, "RateLimit"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync("costly", address)).StatusCode);
    }

    [Fact]
    public async Task Under_a_concurrency_limit_a_permit_is_free_again_when_its_request_ends()
    {
        var address = NewAddress();
        var first = SendAsync($"held/{address}", address);
        await fixture.EnteredAsync(address);

        var refused = await SendAsync("at-once", address);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Contains("\"at-once\";q=1;qu=\"concurrent-requests\"", Header(refused, "RateLimit-Policy"), StringComparison.Ordinal);
        var problem = (await refused.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.StartsWith("The limit \"at-once\" allows 1 requests at the same time; try again in ", (string?)problem["detail"]);

        fixture.Release(address);
        await first;
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("at-once", address)).StatusCode);
    }

    [Fact]
    public async Task A_shadow_policy_tells_nobody()
    {
        var answer = await SendAsync("in-shadow", NewAddress());

        Assert.DoesNotContain("in-shadow", Header(answer, "RateLimit-Policy"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Legacy_headers_tell_of_the_policy_with_the_least_left()
    {
        var before = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var answer = await SendAsync("both", NewAddress());

        Assert.Equal(("2", "1"), (Header(answer, "X-RateLimit-Limit"), Header(answer, "X-RateLimit-Remaining")));
        Assert.InRange(long.Parse(Header(answer, "X-RateLimit-Reset"), CultureInfo.InvariantCulture) - before, 890, 930);
    }

    [Fact]
    public async Task A_policy_that_changes_exempts_from_the_next_request()
    {
        var address = NewAddress();
        await SendAsync("changing", address);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync("changing", address)).StatusCode);

        var changed = ImmutableDictionary<string, ChangedPolicy>.Empty.Add(
            "changing", new(Version: 1, new() { Limit = 1, ExemptAddresses = [address] }));
        fixture.App.Services.GetRequiredService<LimitPolicies>().Replace(new(Revision: 1_000, changed, Resets: []));

        Assert.Equal(HttpStatusCode.OK, (await SendAsync("changing", address)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("changing", address)).StatusCode);
    }

    [Fact]
    public async Task Where_the_email_check_discloses_it_is_limited_by_the_address_asked_for()
    {
        await using var app = await MarketplaceApp.StartAsync(
            ("Users:DiscloseRegistered", "true"), ("Limits:Policies:email-check-account:Limit", "2"));
        var statuses = new List<int>();
        foreach (var email in new[] { "a@example.org", "A@example.org", "a@example.org", "b@example.org" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/email-check") { Content = JsonContent.Create(new { email }) };
            request.Headers.Add("X-Forwarded-For", NewAddress());
            statuses.Add((int)(await app.Client.SendAsync(request)).StatusCode);
        }

        Assert.Equal([200, 200, 429, 200], statuses);
    }

    private static string NewAddress() => $"192.0.2.{Interlocked.Increment(ref _addresses)}";

    private static string Header(HttpResponseMessage answer, string name) => Assert.Single(answer.Headers.GetValues(name));

    /// <summary>Sends a request.</summary>
    /// <param name="path">Below <c>/api/v1/t/</c>.</param>
    /// <param name="address">Where it comes from.</param>
    /// <param name="traits">Words: who sends it, a header, another address, or <c>POST</c>.</param>
    private Task<HttpResponseMessage> SendAsync(string path, string address, string traits = "")
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/t/{path}");
        foreach (var trait in traits.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (trait)
            {
                case "user" or "operator" or "bad-token":
                    var token = trait == "user" ? fixture.User.AccessToken : trait == "operator" ? fixture.Operator.AccessToken : "bad";
                    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                    break;
                case "other-address":
                    address = NewAddress();
                    break;
                case "POST":
                    request.Method = HttpMethod.Post;
                    break;
                case var _ when trait.StartsWith("from:", StringComparison.Ordinal):
                    address = trait["from:".Length..];
                    break;
                default:
                    request.Headers.Add(trait.Split(':')[0], trait.Split(':')[1]);
                    break;
            }
        }

        request.Headers.Add("X-Forwarded-For", address);
        return fixture.App.Client.SendAsync(request);
    }
}
