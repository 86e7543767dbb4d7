using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace WebFrontend.Tests.Limits;

/// <summary>Limits as a client sees them, over HTTP.</summary>
public sealed class HttpLimitTests : IAsyncLifetime
{
    private static int _addresses;
    private MarketplaceApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await MarketplaceApp.StartAsync(
        ("Limits:Policies:general:Limit", "200"),
        ("Limits:Policies:email-check:Limit", "20"),
        ("Limits:Policies:login-account:Limit", "3"));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public async Task Two_hundred_of_250_requests_are_admitted_and_the_rest_refused_with_headers_and_a_problem()
    {
        var address = NewAddress();
        var answers = await Task.WhenAll(Enumerable.Range(0, 250).Select(_ => SendAsync("/api/v1/ping", address)));

        Assert.Equal(200, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        var refused = answers.Where(answer => answer.StatusCode == HttpStatusCode.TooManyRequests).ToList();
        Assert.Equal(50, refused.Count);
        Assert.Equal("\"general\";q=200;w=900", Header(refused[0], "RateLimit-Policy"));
        Assert.Matches("^\"general\";r=0;t=(900|89\\d)$", Header(refused[0], "RateLimit"));
        Assert.InRange(refused[0].Headers.RetryAfter!.Delta!.Value.TotalSeconds, 800, 900);
        Assert.Equal("application/problem+json", refused[0].Content.Headers.ContentType!.MediaType);
        var problem = (await refused[0].Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal("/problems/rate-limited", problem["type"]!.GetValue<string>());
        Assert.NotNull(problem["traceId"]);
    }

    [Fact]
    public async Task An_admitted_request_is_told_what_is_left()
    {
        var address = NewAddress();
        await SendAsync("/api/v1/ping", address);
        var answer = await SendAsync("/api/v1/ping", address);

        Assert.Matches("^\"general\";r=198;t=(900|89\\d)$", Header(answer, "RateLimit"));
    }

    [Fact]
    public async Task Health_is_exempt()
    {
        var answer = await SendAsync("/api/health", NewAddress());

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("RateLimit"));
    }

    [Fact]
    public async Task What_does_not_exist_is_limited_too()
    {
        var answer = await SendAsync("/api/v1/nothing-here", NewAddress());

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains("r=199", Header(answer, "RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_email_check_has_a_limit_of_its_own_and_a_refusal_uses_up_nothing_of_the_general_one()
    {
        var address = NewAddress();
        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 25; i++)
        {
            answers.Add(await CheckEmailAsync(address));
        }

        Assert.Equal(20, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        Assert.Equal("\"general\";q=200;w=900, \"email-check\";q=20;w=60", Header(answers[0], "RateLimit-Policy"));
        Assert.Contains("\"email-check\";r=0", Header(answers[^1], "RateLimit"), StringComparison.Ordinal);

        // 20 email checks and this one.
        var ping = await SendAsync("/api/v1/ping", address);
        Assert.Contains("\"general\";r=179", Header(ping, "RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_sends_nonsense_is_told_what_is_left_too()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/email-check")
        {
            Content = new StringContent("{", System.Text.Encoding.UTF8, "application/json"),
            Headers = { { "X-Forwarded-For", NewAddress() } },
        };
        using var answer = await _app.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Matches("^\"general\";r=199;t=\\d+, \"email-check\";r=19;t=\\d+$", Header(answer, "RateLimit"));
    }

    [Fact]
    public async Task Failed_logins_count_per_account_and_successful_ones_do_not()
    {
        const string email = "guessed@example.org";
        await _app.RegisterAndLoginAsync(email);
        for (var i = 0; i < 5; i++)
        {
            await _app.LoginAsync(email);
        }

        var guesses = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
        {
            var answer = await LoginAsync(email, $"not the password {i}", NewAddress());
            guesses.Add(answer.StatusCode);
            Assert.StartsWith(i < 3 ? "\"general\";" : "\"login-account\";r=0;", Header(answer, "RateLimit"), StringComparison.Ordinal);
        }

        Assert.Equal(
            [HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests],
            guesses);
        var unknown = await Task.WhenAll(Enumerable.Range(0, 4).Select(i =>
            LoginAsync("nobody-has-this@example.org", "some password or other", NewAddress())));
        Assert.Equal(3, unknown.Count(answer => answer.StatusCode == HttpStatusCode.Unauthorized));
    }

    private static string NewAddress() => $"198.51.100.{Interlocked.Increment(ref _addresses)}";

    private static string Header(HttpResponseMessage answer, string name) => Assert.Single(answer.Headers.GetValues(name));

    private Task<HttpResponseMessage> SendAsync(string path, string address) =>
        _app.Client.SendAsync(new(HttpMethod.Get, path) { Headers = { { "X-Forwarded-For", address } } });

    private Task<HttpResponseMessage> CheckEmailAsync(string address) => _app.Client.SendAsync(
        new(HttpMethod.Post, "/api/v1/auth/email-check")
        {
            Content = JsonContent.Create(new { email = "ada@example.org" }),
            Headers = { { "X-Forwarded-For", address } },
        });

    private Task<HttpResponseMessage> LoginAsync(string email, string password, string address) => _app.Client.SendAsync(
        new(HttpMethod.Post, "/api/v1/auth/login")
        {
            Content = JsonContent.Create(new { email, password }),
            Headers = { { "X-Forwarded-For", address } },
        });
}
