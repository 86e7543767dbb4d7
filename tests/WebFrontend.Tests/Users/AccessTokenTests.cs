using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Marketplace.Testing;
using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Users;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WebFrontend.Tests.Users;

/// <summary>What a frontend makes of tokens, with keys of the test's own in place of the silos'.</summary>
public sealed class AccessTokenTests : IAsyncLifetime
{
    private static readonly ECDsa KeyPair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly Guid UserId = Guid.NewGuid();
    private readonly SigningKeysStub _silo = new() { Keys = [new("k1", KeyPair.ExportSubjectPublicKeyInfo())] };
    private WebApplication _app = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(OneGrain.FactoryOf(_silo));
        builder.Services.AddProblemResponses().AddUsers();
        _app = builder.Build();
        _app.UseProblemResponses();
        _app.UseAuthentication();
        _app.UseAuthorization();
        _app.MapGet("/who", (ClaimsPrincipal user) => user.GetUserId()).RequireAuthorization();
        _app.MapGet("/hubs/live", (ClaimsPrincipal user) => user.GetUserId()).RequireAuthorization();
        _app.MapGet("/operate", () => "done").RequireAuthorization(UserRoles.Operator);
        _app.MapGet("/open", () => "open");
        await _app.StartAsync();
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_token_of_ours_says_who_calls()
    {
        using var answer = await Send("/who", Token());
        Assert.Equal($"\"{UserId}\"", await answer.Content.ReadAsStringAsync());
    }

    public static TheoryData<string, string> BadTokens() => new()
    {
        { "another key", Token(key: new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k1" }) },
        { "an unknown key", Token(key: new(KeyPair) { KeyId = "k2" }) },
        { "expired", Token(now: TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1)) },
        { "not yet valid", Token(now: TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1)) },
        { "of another issuer", Token(issuer: "somebody") },
        { "for another audience", Token(audience: "somebody") },
        { "of another type", Token(type: "JWT") },
        { "alg none", Unsigned("none") },
        { "alg None", Unsigned("None") },
        { "alg HS256 with the public key as its secret", Hmac() },
        { "another subject under the same signature", Altered() },
        { "two parts", "a.b" },
        { "garbage", "garbage" },
        { "three parts of garbage", "a.b.c" },
        { "very long", new string('a', 8000) },
    };

    [Theory, MemberData(nameof(BadTokens))]
    public async Task A_token_that_is_no_good_gets_401(string fault, string token)
    {
        using var answer = await Send("/who", token);
        Assert.Contains("error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.True(await UsersApp.ProblemTypeOf(answer, 401) == "unauthorized", fault);
    }

    [Fact]
    public async Task The_role_decides_who_may_operate()
    {
        Assert.Equal("forbidden", await UsersApp.ProblemTypeOf(await Send("/operate", Token()), 403));
        Assert.Equal(HttpStatusCode.OK, (await Send("/operate", Token(role: UserRoles.Operator))).StatusCode);
        Assert.Equal("unauthorized", await UsersApp.ProblemTypeOf(await Send("/operate", null), 401));
    }

    [Fact]
    public async Task Only_hubs_take_the_token_from_the_query()
    {
        var query = $"?access_token={Token()}";
        Assert.Equal(HttpStatusCode.OK, (await Send("/hubs/live" + query, null)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Send("/who" + query, null)).StatusCode);
    }

    [Fact]
    public async Task Without_a_silo_a_token_is_neither_good_nor_bad()
    {
        _silo.Keys = null;
        Assert.Equal("unavailable", await UsersApp.ProblemTypeOf(await Send("/who", Token()), 503));
        Assert.Equal("unauthorized", await UsersApp.ProblemTypeOf(await Send("/who", null), 401));
        Assert.Equal(HttpStatusCode.OK, (await Send("/open", Token())).StatusCode);
    }

    [Fact]
    public async Task Invented_key_ids_ask_the_silo_no_more_than_once_a_second()
    {
        await Send("/who", Token());
        var startedAt = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 50; i++)
        {
            await Send("/who", Token(key: new(KeyPair) { KeyId = $"invented{i}" }));
        }

        var seconds = TimeProvider.System.GetElapsedTime(startedAt).TotalSeconds;
        Assert.InRange(_silo.Calls, 1, 2 + (int)seconds);
        Assert.Equal(HttpStatusCode.OK, (await Send("/who", Token())).StatusCode);
    }

    private static string Token(
        ECDsaSecurityKey? key = null, DateTime? now = null, string issuer = AccessTokens.Issuer, string audience = AccessTokens.Audience,
        string type = AccessTokens.Type, string role = UserRoles.Candidate)
    {
        var issued = now ?? TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            TokenType = type,
            IssuedAt = issued,
            NotBefore = issued,
            Expires = issued.AddMinutes(10),
            Claims = new Dictionary<string, object> { ["sub"] = UserId.ToString("D"), ["roles"] = new[] { role } },
            SigningCredentials = new(key ?? new ECDsaSecurityKey(KeyPair) { KeyId = "k1" }, AccessTokens.Algorithm),
        });
    }

    private static string Unsigned(string algorithm) => $"{Encode($$"""{"alg":"{{algorithm}}","typ":"at+jwt","kid":"k1"}""")}.{Token().Split('.')[1]}.";

    private static string Hmac()
    {
        var signed = $"{Encode("""{"alg":"HS256","typ":"at+jwt","kid":"k1"}""")}.{Token().Split('.')[1]}";
        var secret = KeyPair.ExportSubjectPublicKeyInfo();
        return $"{signed}.{Base64UrlEncoder.Encode(HMACSHA256.HashData(secret, Encoding.ASCII.GetBytes(signed)))}";
    }

    private static string Altered()
    {
        var parts = Token().Split('.');
        var payload = Base64UrlEncoder.Decode(parts[1]).Replace(UserId.ToString("D"), Guid.NewGuid().ToString("D"), StringComparison.Ordinal);
        return $"{parts[0]}.{Encode(payload)}.{parts[2]}";
    }

    private static string Encode(string json) => Base64UrlEncoder.Encode(json);

    private async Task<HttpResponseMessage> Send(string path, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        }

        return await _app.GetTestClient().SendAsync(request);
    }

    private sealed class SigningKeysStub : ISigningKeysGrain
    {
        public IReadOnlyList<PublicSigningKey>? Keys { get; set; }

        public int Calls { get; private set; }

        public ValueTask<IReadOnlyList<PublicSigningKey>> GetPublicKeys()
        {
            Calls++;
            return Keys is { } keys ? ValueTask.FromResult(keys) : throw new SiloUnavailableException();
        }
    }
}
