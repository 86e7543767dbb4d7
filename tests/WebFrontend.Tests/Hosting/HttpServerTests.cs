using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Hosting;

/// <summary>The server's own bounds: sizes, times, proxies.</summary>
public sealed class HttpServerTests : IAsyncLifetime
{
    private MarketplaceApp _app = null!;

    public async ValueTask InitializeAsync() => _app = await MarketplaceApp.StartAsync(
        ("Frontend:TrustedProxies:0", "192.0.2.1"),
        ("Limits:LimitHealth", "true"));

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    [Fact]
    public async Task A_body_over_ten_megabytes_is_413()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/email-check")
        {
            Content = new ByteArrayContent(new byte[(10 * 1024 * 1024) + 1]) { Headers = { ContentType = new("application/json") } },
            Headers = { ExpectContinue = true }, // as curl does: the answer comes before the body has been sent
        };

        using var answer = await _app.Client.SendAsync(request);

        await AssertProblemAsync(answer, HttpStatusCode.RequestEntityTooLarge, "/problems/body-too-large");
    }

    [Fact]
    public async Task A_body_of_ten_megabytes_is_read()
    {
        var padded = "{\"email\":\"ada@example.org\"}".PadRight(10 * 1024 * 1024);
        using var body = new StringContent(padded, Encoding.UTF8, "application/json");

        using var answer = await _app.Client.PostAsync("/api/v1/auth/email-check", body);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Headers_over_the_limit_are_431()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/ping") { Headers = { { "X-Long", new string('x', 40_000) } } };

        using var answer = await _app.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task A_request_that_takes_too_long_is_answered_with_503_and_not_with_a_dropped_socket()
    {
        await using var app = await MarketplaceApp.StartAsync(("Frontend:RequestTimeout", "00:00:01"));
        using var socket = new TcpClient();
        await socket.ConnectAsync(app.Client.BaseAddress!.Host, app.Client.BaseAddress.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            "POST /api/v1/auth/email-check HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"));

        using var reader = new StreamReader(stream);
        var status = await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);

        Assert.Equal("HTTP/1.1 503 Service Unavailable", status);
    }

    [Fact]
    public async Task A_live_connection_outlives_the_request_time_out()
    {
        await using var app = await MarketplaceApp.StartAsync(("Frontend:RequestTimeout", "00:00:05"));
        var user = await app.RegisterAndLoginAsync("lives-on@example.org");
        await using var live = new HubConnectionBuilder().WithUrl(new Uri(app.Client.BaseAddress!, "/hubs/live"), options =>
        {
            options.AccessTokenProvider = () => Task.FromResult<string?>(user.AccessToken);
            options.Transports = HttpTransportType.WebSockets;
        }).Build();
        await live.StartAsync();

        await Task.Delay(TimeSpan.FromSeconds(7), TimeProvider.System); // longer than a request may take here

        await live.InvokeAsync("JoinRoom", "lobby");
    }

    [Fact]
    public async Task A_forwarded_address_from_an_untrusted_peer_counts_for_nothing()
    {
        var first = await SendAsync("203.0.113.1");
        var second = await SendAsync("203.0.113.2");

        Assert.Equal(Remaining(first) - 1, Remaining(second));

        static int Remaining(HttpResponseMessage answer) => int.Parse(
            Assert.Single(answer.Headers.GetValues("RateLimit")).Split(';')[1]["r=".Length..], null);
    }

    [Fact]
    public async Task Health_counts_when_that_is_asked_for()
    {
        using var answer = await _app.Client.GetAsync(new Uri("/api/health", UriKind.Relative));

        Assert.True(answer.Headers.Contains("RateLimit"));
    }

    [Fact]
    public async Task Health_tells_status_version_and_uptime()
    {
        var health = (await _app.Client.GetFromJsonAsync<JsonObject>("/api/health"))!;

        Assert.Equal("ok", health["status"]!.GetValue<string>());
        Assert.Matches(@"^\d+\.\d+\.\d+", health["version"]!.GetValue<string>());
        Assert.True(health["uptimeSeconds"]!.GetValue<double>() > 0);
    }

    [Theory]
    [InlineData("/api/health/live")]
    [InlineData("/api/health/ready")]
    public async Task Liveness_and_readiness_answer(string path)
    {
        using var answer = await _app.Client.GetAsync(new Uri(path, UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("DELETE", "/api/v1/ping", HttpStatusCode.MethodNotAllowed)]
    [InlineData("GET", "/api/v1/nothing-here", HttpStatusCode.NotFound)]
    [InlineData("GET", "/api/v1/users/me", HttpStatusCode.Unauthorized)]
    public async Task Every_error_is_a_problem_with_a_trace_id(string method, string path, HttpStatusCode status)
    {
        using var answer = await _app.Client.SendAsync(new(new HttpMethod(method), path));

        await AssertProblemAsync(answer, status, type: null);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage answer, HttpStatusCode status, string? type)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.NotNull(problem["traceId"]);
        if (type is not null)
        {
            Assert.Equal(type, problem["type"]!.GetValue<string>());
        }
    }

    private Task<HttpResponseMessage> SendAsync(string forwardedFor) =>
        _app.Client.SendAsync(new(HttpMethod.Get, "/api/v1/ping") { Headers = { { "X-Forwarded-For", forwardedFor } } });
}
