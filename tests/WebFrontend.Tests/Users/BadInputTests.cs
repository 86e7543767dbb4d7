using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace WebFrontend.Tests.Users;

public sealed class BadInputTests(UsersApp fixture) : IClassFixture<UsersApp>
{
    private const string GoodPassword = "\"password\":\"correct horse battery\"";
    private readonly MarketplaceApp _app = fixture.App;

    [Theory]
    [InlineData("register", "{\"email")]
    [InlineData("register", "")]
    [InlineData("register", "null")]
    [InlineData("register", "[]")]
    [InlineData("register", "\"text\"")]
    [InlineData("register", "{\"email\":\"a@example.com\"," + GoodPassword + ",\"role\":\"operator\"}")]
    [InlineData("register", "{\"email\":5," + GoodPassword + "}")]
    [InlineData("register", "{\"email\":\"a@example.com\",\"email\":\"b@example.com\"," + GoodPassword + "}")]
    [InlineData("register", "{\"email\":\"a@example.com\",\"password\":\"\\ud800 correct horse\"}")]
    [InlineData("login", "{\"email\":{},\"password\":[]}")]
    [InlineData("refresh", "{\"refreshToken\":1}")]
    [InlineData("refresh", "{}")]
    [InlineData("logout", "{\"refreshToken\":\"\"}")]
    [InlineData("verify-email", "{\"token\":\"never given out\"}")]
    [InlineData("verify-email", "{\"token\":\"\\u0000\"}")]
    [InlineData("email-check", "{\"email\":\"nobody\"}")]
    [InlineData("email-check", "{}")]
    public async Task A_body_that_is_no_good_gets_400(string path, string json)
    {
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await _app.Client.PostAsync($"/api/v1/auth/{path}", body);
        Assert.Equal("validation", await UsersApp.ProblemTypeOf(answer, 400));
    }

    [Theory]
    [InlineData("email", "nobody")]
    [InlineData("email", "a@b")]
    [InlineData("email", "a@example.com\r\nBcc: b@example.com")]
    [InlineData("email", "a\0@example.com")]
    [InlineData("password", "eleven char")]
    [InlineData("password", "nul in\0side it")]
    [InlineData("displayName", " ")]
    [InlineData("displayName", "nul\0")]
    [InlineData("timeZone", "Mars/Olympus")]
    [InlineData("timeZone", "../../etc/passwd")]
    [InlineData("timeZone", "localtime")]
    [InlineData("timeZone", "Europe//Berlin")]
    [InlineData("timeZone", "/Europe/Berlin")]
    [InlineData("timeZone", "Europe/Berlin/")]
    [InlineData("timeZone", "./Europe/Berlin")]
    public async Task A_field_that_is_no_good_is_named(string field, string value)
    {
        var body = new JsonObject
        {
            ["email"] = "named@example.com",
            ["password"] = MarketplaceApp.Password,
            ["displayName"] = "Ada",
            ["timeZone"] = "UTC",
        };
        body[field] = value;
        Assert.Equal([field], await ErrorsOf(body));
    }

    [Fact]
    public async Task All_errors_are_told_at_once()
    {
        var body = new JsonObject
        {
            ["email"] = new string('a', 300) + "@example.com",
            ["password"] = new string('a', 257),
            ["displayName"] = new string('a', 101),
            ["timeZone"] = new string('a', 1_000_000),
        };
        Assert.Equal(["displayName", "email", "password", "timeZone"], (await ErrorsOf(body)).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{\"displayName\":null}", "*", 400)]
    [InlineData("{\"email\":\"b@example.com\"}", "*", 400)]
    [InlineData("{\"displayName\":7}", "*", 400)]
    [InlineData("{\"timeZone\":\"here\"}", "*", 400)]
    [InlineData("{}", "2", 400)]
    [InlineData("{}", "W/\"2\"", 412)]
    [InlineData("{}", "\"abc\"", 412)]
    [InlineData("{}", "\"99999999999999999999\"", 412)]
    [InlineData("{}", "\"1\", \"2\"", 200)]
    public async Task A_patch_that_is_no_good_changes_nothing(string json, string ifMatch, int status)
    {
        var email = $"patch{Guid.NewGuid():N}@example.com";
        using var client = _app.ClientOf(await _app.RegisterAndLoginAsync(email));
        using var request = new HttpRequestMessage(HttpMethod.Patch, "/api/v1/users/me")
        {
            Content = new StringContent(json, new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        using var answer = await client.SendAsync(request);
        Assert.Equal(status, (int)answer.StatusCode);
        using var me = await client.GetAsync("/api/v1/users/me");
        Assert.Equal("\"2\"", me.Headers.ETag?.Tag); // registered, then verified
    }

    [Fact]
    public async Task A_body_that_is_no_json_is_named_so()
    {
        using var body = new StringContent("email=a@example.com", Encoding.UTF8, "application/x-www-form-urlencoded");
        using var answer = await _app.Client.PostAsync("/api/v1/auth/login", body);
        Assert.Equal("unsupported-media-type", await UsersApp.ProblemTypeOf(answer, 415));
    }

    [Theory]
    [InlineData("bogus")]
    [InlineData("\"bogus\"")]
    [InlineData("\"\"")]
    [InlineData("utf-7")]
    public async Task A_body_in_an_encoding_that_is_not_known_gets_415(string charset)
    {
        using var answer = await LoginWith($"application/json; charset={charset}", Encoding.UTF8);
        Assert.Equal("unsupported-media-type", await UsersApp.ProblemTypeOf(answer, 415));
    }

    [Theory]
    [InlineData("UTF-8", "utf-8")]
    [InlineData("\"utf-8\"", "utf-8")]
    [InlineData("\"utf\\-8\"", "utf-8")]
    [InlineData("utf-16", "utf-16")]
    [InlineData("\"iso_8859-1:1987\"", "iso-8859-1")]
    public async Task A_body_in_an_encoding_that_is_known_is_read(string charset, string encoding)
    {
        using var answer = await LoginWith($"application/json; charset={charset}", Encoding.GetEncoding(encoding));
        Assert.Equal("invalid-credentials", await UsersApp.ProblemTypeOf(answer, 401));
    }

    private async Task<HttpResponseMessage> LoginWith(string contentType, Encoding encoding)
    {
        using var body = new ByteArrayContent(encoding.GetBytes("{\"email\":\"nobody@example.com\"," + GoodPassword + "}"));
        body.Headers.TryAddWithoutValidation("Content-Type", contentType);
        return await _app.Client.PostAsync("/api/v1/auth/login", body);
    }

    private async Task<IReadOnlyList<string>> ErrorsOf(JsonObject body)
    {
        using var answer = await _app.Client.PostAsJsonAsync("/api/v1/auth/register", body);
        Assert.Equal(400, (int)answer.StatusCode);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        return [.. problem["errors"]!.AsObject().Select(error => error.Key)];
    }
}
