using System.Collections.Concurrent;
using System.Globalization;
using Marketplace.WebFrontend.Limits.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace WebFrontend.Tests.Limits;

/// <summary>
/// A service with endpoints under <c>/api/v1/t</c> that do nothing but be limited, one for each policy of <see cref="Small"/> and a
/// few that are limited otherwise.
/// </summary>
public sealed class LimitsApp : IAsyncLifetime
{
    /// <summary>Policies that admit one request a partition, and what is set of each.</summary>
    private static readonly (string Name, string Setting, string Value)[] Small =
    [
        ("by-address", "Key", "address"),
        ("by-user", "Key", "user"),
        ("by-route", "Key", "route"),
        ("by-api-key", "Key", "api-key"),
        ("by-header", "Key", "header:X-Tenant"),
        ("by-both", "Key", "user+header:X-Tenant"),
        ("but-address", "ExemptAddresses:0", "203.0.113.0/28"),
        ("but-address6", "ExemptAddresses:0", "2001:db8:5::/48"),
        ("but-role", "ExemptRoles:0", "operator"),
        ("but-path", "ExemptPaths:0", "/api/v1/t/but-path/free"),
        ("in-shadow", "Shadow", "true"),
        ("at-once", "Algorithm", "Concurrency"),
        ("changing", "Key", "address"),
        ("by-path", "Key", "address"),
    ];

    private static readonly (string Name, string Value)[] Others =
    [
        ("Users:Operators:0", "operator@example.com"),
        ("Limits:Policies:five:Limit", "5"),
        ("Limits:Policies:two:Limit", "2"),
        ("Limits:Policies:failures:Limit", "2"),
        ("Limits:Paths:0:Path", "/api/v1/t/paths"),
        ("Limits:Paths:0:Policy", "by-path"),
        ("Limits:Paths:0:Methods:0", "POST"),
        ("Limits:Paths:1:Path", "/api/v1/t/dear"),
        ("Limits:Paths:1:Policy", "five"),
        ("Limits:Paths:1:Cost", "3"),
        ("Limits:Paths:2:Path", "/api/v1/t/counted"),
        ("Limits:Paths:2:Policy", "two"),
        ("Limits:Paths:3:Path", "/api/v1/auth/login"),
        ("Limits:Paths:3:Policy", "login"),
        ("Limits:LegacyHeaders", "true"),
        ("Limits:HubCallsPerSecond", "2"),
    ];

    private readonly ConcurrentDictionary<string, TaskCompletionSource> _signals = new();

    public MarketplaceApp App { get; private set; } = null!;

    public TestUser User { get; private set; } = null!;

    public TestUser Operator { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        App = await MarketplaceApp.StartAsync(Map, [
            .. Small.Select(policy => ($"Limits:Policies:{policy.Name}:Limit", "1")),
            .. Small.Select(policy => ($"Limits:Policies:{policy.Name}:{policy.Setting}", policy.Value)),
            .. Others,
        ]);
        User = await App.RegisterAndLoginAsync("user@example.com");
        Operator = await App.RegisterAndLoginAsync("operator@example.com");
    }

    public ValueTask DisposeAsync() => App.DisposeAsync();

    /// <summary>Lets requests to <c>/api/v1/t/held/{name}</c> end.</summary>
    public void Release(string name) => Signal($"release {name}").TrySetResult();

    /// <summary>Waits until a request to <c>/api/v1/t/held/{name}</c> is under way.</summary>
    public Task EnteredAsync(string name) => Signal($"entered {name}").Task;

    private TaskCompletionSource Signal(string name) => _signals.GetOrAdd(name, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));

    private void Map(WebApplication app)
    {
        var group = app.MapGroup("/api/v1/t");
        foreach (var (name, _, _) in Small)
        {
            group.Map($"/{name}/{{**rest}}", () => "ok").RequireLimit(name);
        }

        group.Map("/paths/{**rest}", () => "ok");
        group.Map("/by-route-too", () => "ok").RequireLimit("by-route");
        group.Map("/dear", () => "ok").RequireRateLimiting("five");
        group.Map("/double", () => "ok").RequireLimit("five", cost: 2);
        group.Map("/costly", () => "ok").RequireLimit("two", cost: 3);
        group.Map("/counted", () => "ok").RequireLimit("two", countsWhen: context => context.Response.StatusCode is 400);
        group.Map("/both", () => "ok").RequireRateLimiting("five").RequireRateLimiting("two");
        group.Map("/free", () => "ok").RequireLimit("by-address").DisableRateLimiting();
        group.Map("/held/{name}", async (string name) =>
        {
            Signal($"entered {name}").TrySetResult();
            await Signal($"release {name}").Task;
        }).RequireLimit("at-once");
        group.Map("/failures/{status}", (HttpContext context, string status) =>
        {
            context.Response.StatusCode = status == "throw"
                ? throw new BadHttpRequestException("broken")
                : int.Parse(status, CultureInfo.InvariantCulture);
        }).RequireLimit("failures", countsWhen: context => context.Response.StatusCode is >= 400 and < 500);
    }
}
