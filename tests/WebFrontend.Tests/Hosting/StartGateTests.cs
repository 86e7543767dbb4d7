using System.Collections.Immutable;
using Marketplace.Hosting.Health;
using Marketplace.Limits;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Hosting;

public sealed class StartGateTests
{
    private readonly LimitPolicies _policies = new(Options.Create(new LimitsOptions()));
    private readonly FakeTimeProvider _clock = new();
    private readonly StartGate _gate;

    public StartGateTests() => _gate = new(_policies, _clock);

    [Fact]
    public async Task Nobody_is_served_before_it_is_known_which_limits_operators_have_changed()
    {
        var started = _gate.StartedAsync(CancellationToken.None);
        var early = AskAsync("/api/v1/ping");
        Assert.Equal(StatusCodes.Status200OK, (await AskAsync("/api/health/live")).StatusCode);
        Assert.Equal(HealthStatus.Unhealthy, await ReadinessAsync());
        Assert.False(early.IsCompleted);

        _policies.Replace(new(Revision: 0, ImmutableDictionary<string, ChangedPolicy>.Empty, []));

        await InTimeAsync(started);
        Assert.Equal(StatusCodes.Status200OK, (await InTimeAsync(early)).StatusCode);
        Assert.Equal(HealthStatus.Healthy, await ReadinessAsync());
    }

    [Fact]
    public async Task A_request_that_waits_in_vain_is_told_to_try_again()
    {
        var early = AskAsync("/api/v1/ping");
        _clock.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(early.IsCompleted);

        _clock.Advance(TimeSpan.FromSeconds(0.1));

        var answer = await InTimeAsync(early);
        Assert.Equal(StatusCodes.Status503ServiceUnavailable, answer.StatusCode);
        Assert.Equal("2", answer.Headers.RetryAfter);
    }

    /// <summary>nginx passes over a frontend that has no room for one; that must not take 5 s.</summary>
    [Fact]
    public async Task A_live_connection_that_comes_too_early_is_sent_elsewhere_at_once()
    {
        var answer = await InTimeAsync(AskAsync("/hubs/live/negotiate"));

        Assert.Equal(StatusCodes.Status503ServiceUnavailable, answer.StatusCode);
    }

    [Fact]
    public async Task While_that_can_not_be_found_out_the_site_opens_all_the_same()
    {
        var started = _gate.StartedAsync(CancellationToken.None);

        _clock.Advance(TimeSpan.FromSeconds(5));

        await InTimeAsync(started);
        Assert.Equal(StatusCodes.Status200OK, (await InTimeAsync(AskAsync("/api/v1/ping"))).StatusCode);
    }

    /// <summary>By the checks that the gate's registration brings, among those that say whether the frontend is ready.</summary>
    private async Task<HealthStatus> ReadinessAsync()
    {
        var registered = new ServiceCollection().AddLogging().AddStartGate();
        await using var services = registered.Replace(ServiceDescriptor.Singleton(_gate)).BuildServiceProvider();
        var report = await services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains(HealthTags.Ready));
        Assert.NotEmpty(report.Entries);
        return report.Status;
    }

    private async Task<HttpResponse> AskAsync(string path)
    {
        await using var services = new ServiceCollection().AddLogging().AddProblemDetails().BuildServiceProvider();
        var context = new DefaultHttpContext { RequestServices = services, Request = { Path = path } };
        await _gate.InvokeAsync(context, _ => Task.CompletedTask);
        return context.Response;
    }

    private static Task InTimeAsync(Task task) =>
        task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, TestContext.Current.CancellationToken);

    private static Task<T> InTimeAsync<T>(Task<T> task) =>
        task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
}
