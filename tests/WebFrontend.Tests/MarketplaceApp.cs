using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Marketplace.Silo.Hosting;
using Marketplace.Testing;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MimeKit;
using Npgsql;

namespace WebFrontend.Tests;

/// <summary>
/// The whole service in this process: a silo and a frontend on free ports, over a database of its own in the test
/// process's PostgreSQL. Passwords are hashed with few rounds, limits are out of the way, and mail lands in
/// <see cref="MailDirectory"/>; settings given at the start overrule that.
/// </summary>
public sealed partial class MarketplaceApp : IAsyncDisposable
{
    public const string Password = "correct horse battery";
    private static readonly TimeSpan MailDeadline = TimeSpan.FromSeconds(20);
    private readonly WebApplication _app;

    private MarketplaceApp(WebApplication app, Uri address, string mailDirectory)
    {
        _app = app;
        MailDirectory = mailDirectory;
        Client = new HttpClient { BaseAddress = address };
    }

    /// <summary>An anonymous client of the frontend.</summary>
    public HttpClient Client { get; }

    public string MailDirectory { get; }

    public IServiceProvider Services => _app.Services;

    public IGrainFactory Grains => Services.GetRequiredService<IGrainFactory>();

    public NpgsqlDataSource Database => Services.GetRequiredService<NpgsqlDataSource>();

    /// <summary>Starts the service.</summary>
    /// <param name="settings">Settings as on the command line, e.g. <c>("Users:DiscloseRegistered", "true")</c>.</param>
    public static Task<MarketplaceApp> StartAsync(params (string Name, string Value)[] settings) => StartAsync(_ => { }, settings);

    /// <summary>Starts the service with more endpoints than it has.</summary>
    /// <param name="map">Adds endpoints.</param>
    /// <param name="settings">Settings as on the command line.</param>
    public static async Task<MarketplaceApp> StartAsync(Action<WebApplication> map, params (string Name, string Value)[] settings)
    {
        var database = await SharedPostgres.CreateDatabaseAsync();
        var port = TestPorts.Pick();
        var mail = Directory.CreateTempSubdirectory("marketplace-mail-").FullName;
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Database:ConnectionString"] = database,
            ["Database:MinPoolSize"] = "1",
            ["Silo:SiloPort"] = $"{TestPorts.Pick()}",
            ["Silo:GatewayPort"] = $"{TestPorts.Pick()}",
            ["Frontend:Port"] = $"{port}",
            ["Frontend:DrainDelay"] = "00:00:00",
            ["Users:PasswordIterations"] = "1000",
            ["Mail:Directory"] = mail,
            ["Logging:LogLevel:Default"] = "Warning",
            ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Warning",
            ["Limits:Deadline"] = "00:00:20", // a bucket that is held up is no trouble that a test asks for
            ["Limits:Policies:general:Limit"] = "100000",
            ["Limits:Policies:email-check:Limit"] = "100000",
            ["Limits:Policies:login:Limit"] = "100000",
            ["Limits:Policies:login-account:Limit"] = "100000",
            ["Limits:Policies:register:Limit"] = "100000",
            ["Limits:Policies:register-account:Limit"] = "100000",
        });
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Name, (string?)s.Value)));
        builder.AddMarketplaceSilo().AddMarketplaceFrontend();
        var app = builder.Build();
        app.UseMarketplaceFrontend();
        map(app);
        await app.StartAsync();
        return new MarketplaceApp(app, new Uri($"http://127.0.0.1:{port}"), mail);
    }

    /// <summary>Registers an address, verifies it by its mail, and logs in.</summary>
    public async Task<TestUser> RegisterAndLoginAsync(string email)
    {
        await RegisterAsync(email);
        await VerifyAsync(await TokenFromMailAsync(email));
        return await LoginAsync(email);
    }

    public async Task RegisterAsync(string email, string password = Password)
    {
        using var answer = await Client.PostAsJsonAsync("/api/v1/auth/register", new { email, password, displayName = "Some One" });
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    public async Task VerifyAsync(string token)
    {
        using var answer = await Client.PostAsJsonAsync("/api/v1/auth/verify-email", new { token });
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    public async Task<TestUser> LoginAsync(string email, string password = Password)
    {
        using var answer = await Client.PostAsJsonAsync("/api/v1/auth/login", new { email, password });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var tokens = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        return new TestUser(email, tokens["accessToken"]!.GetValue<string>(), tokens["refreshToken"]!.GetValue<string>());
    }

    /// <summary>A client that sends a user's access token.</summary>
    public HttpClient ClientOf(TestUser user) => ClientWithToken(user.AccessToken);

    public HttpClient ClientWithToken(string accessToken) => new()
    {
        BaseAddress = Client.BaseAddress,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", accessToken) },
    };

    /// <summary>The token of the newest verification mail to an address; waits until there are that many.</summary>
    public async Task<string> TokenFromMailAsync(string email, int mails = 1)
    {
        var found = await MailsAsync(email, mails);
        return TokenInLink().Match(found[^1].TextBody ?? "").Groups[1].Value;
    }

    /// <summary>The mails to an address, oldest first; waits until there are that many.</summary>
    public async Task<IReadOnlyList<MimeMessage>> MailsAsync(string email, int count)
    {
        var clock = TimeProvider.System;
        for (var startedAt = clock.GetTimestamp(); ; await Task.Delay(TimeSpan.FromMilliseconds(20), clock))
        {
            var mails = Directory.GetFiles(MailDirectory, "*.eml").Select(file => MimeMessage.Load(file))
                .Where(mail => mail.To.Mailboxes.Single().Address == email)
                .OrderBy(mail => mail.MessageId, StringComparer.Ordinal).ToList(); // ids grow with time
            if (mails.Count >= count)
            {
                return mails;
            }

            Assert.True(clock.GetElapsedTime(startedAt) < MailDeadline, $"{mails.Count} of {count} mails to {email} came");
        }
    }

    public async Task<long> CountAsync(string table, string where = "true")
    {
        await using var command = Database.CreateCommand($"SELECT count(*) FROM {table} WHERE {where}");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Directory.Delete(MailDirectory, recursive: true);
    }

    [GeneratedRegex(@"/verify-email#token=([\w-]+)")]
    private static partial Regex TokenInLink();
}

/// <summary>A user that has logged in.</summary>
public sealed record TestUser(string Email, string AccessToken, string RefreshToken);
