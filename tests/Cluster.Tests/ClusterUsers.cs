using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MimeKit;

namespace Cluster.Tests;

/// <summary>A user that has logged in.</summary>
internal sealed record ClusterUser(string Id, string AccessToken)
{
    /// <summary>A client of a frontend that sends the access token, from an address of its own.</summary>
    public HttpClient ClientOf(Uri frontend) => new()
    {
        BaseAddress = frontend,
        DefaultRequestHeaders =
        {
            { "X-Forwarded-For", ClusterFixture.NewAddress() },
            { "Authorization", $"Bearer {AccessToken}" },
        },
    };
}

/// <summary>Makes users the way people become users: a form, a mail with a link, a login.</summary>
internal static partial class ClusterUsers
{
    private const string Password = "correct horse battery";
    private static readonly TimeSpan MailWithin = TimeSpan.FromSeconds(30);

    /// <summary>Registers an address, by default one that nobody has, verifies it by its mail, and logs in.</summary>
    public static async Task<ClusterUser> NewUserAsync(this ClusterFixture fixture, string? email = null)
    {
        email ??= $"{Guid.NewGuid():N}@example.org";
        using var client = new HttpClient
        {
            BaseAddress = fixture.Cluster.Frontends[0].Address,
            DefaultRequestHeaders = { { "X-Forwarded-For", ClusterFixture.NewAddress() } },
        };
        await PostAsync(client, "register", new { email, password = Password }, HttpStatusCode.Accepted);
        var token = await TokenFromMailAsync(fixture.MailDirectory, email);
        await PostAsync(client, "verify-email", new { token }, HttpStatusCode.NoContent);
        var tokens = JsonNode.Parse(await PostAsync(client, "login", new { email, password = Password }, HttpStatusCode.OK))!;
        var accessToken = (string)tokens["accessToken"]!;

        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        var me = await client.GetFromJsonAsync<JsonObject>("/api/v1/users/me");
        return new ClusterUser((string)me!["id"]!, accessToken);
    }

    private static readonly TimeSpan TroubleWithin = TimeSpan.FromSeconds(20);

    private static async Task<string> PostAsync(HttpClient client, string operation, object body, HttpStatusCode expected)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        var answer = await client.PostAsJsonAsync($"/api/v1/auth/{operation}", body);
        while (answer.StatusCode == HttpStatusCode.ServiceUnavailable
            && TimeProvider.System.GetElapsedTime(startedAt) < TroubleWithin)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System); // a silo may just have been killed
            answer.Dispose();
            answer = await client.PostAsJsonAsync($"/api/v1/auth/{operation}", body);
        }

        using var disposed = answer;
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == expected, $"{operation} answered {answer.StatusCode}: {text}");
        return text;
    }

    private static async Task<string> TokenFromMailAsync(string directory, string email)
    {
        var token = "";
        await ClusterFixture.EventuallyAsync(
            () =>
            {
                // Of an address that another test has registered before there is a mail without a link, too.
                token = (Directory.Exists(directory) ? Directory.GetFiles(directory, "*.eml") : [])
                    .Select(file => MimeMessage.Load(file))
                    .Where(mail => mail.To.Mailboxes.Single().Address == email)
                    .Select(mail => TokenInLink().Match(mail.TextBody ?? "").Groups[1].Value)
                    .FirstOrDefault(token => token.Length > 0, "");
                return Task.FromResult(token.Length > 0);
            },
            MailWithin,
            $"no verification mail to {email} came");
        return token;
    }

    [GeneratedRegex(@"/verify-email#token=([\w-]+)")]
    private static partial Regex TokenInLink();
}
