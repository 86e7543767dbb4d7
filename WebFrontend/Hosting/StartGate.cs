using Marketplace.Hosting.Health;
using Marketplace.Limits;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// Answers 503 until the link to the silos has stood once: before that Orleans doesn't even know which grains exist, and this
/// frontend doesn't know which limits operators have changed. Later losses of the link show as failed calls, which are answered
/// one by one. As long as it answers so the frontend isn't ready: a proxy that goes by that sends nobody here.
/// </summary>
internal sealed class StartGate(LimitPolicies policies, TimeProvider clock) : IHostedLifecycleService, IHealthCheck
{
    /// <summary>While PostgreSQL is away nobody knows what was changed; the site is to be there all the same.</summary>
    private static readonly TimeSpan HearsWithin = TimeSpan.FromSeconds(5);

    private volatile bool _open;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        // All hosted services have started, the Orleans client or the silo among them.
        await policies.Heard.WaitAsync(HearsWithin, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _open = true;
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_open ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("this frontend is starting"));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Passes a request on, unless it came too early. Health has to answer always.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next) =>
        _open || context.Request.Path.StartsWithSegments("/api/health")
            ? next(context)
            : ProblemWriter.WriteUnavailableAsync(
                context, "This frontend is starting and has not reached a silo yet.", TimeSpan.FromSeconds(2));
}

internal static class StartGateExtensions
{
    public static IServiceCollection AddStartGate(this IServiceCollection services)
    {
        services.AddSingleton<StartGate>();
        services.AddHostedService(provider => provider.GetRequiredService<StartGate>());
        services.AddHealthChecks().AddCheck<StartGate>("started", tags: [HealthTags.Ready]);
        return services;
    }

    public static WebApplication UseStartGate(this WebApplication app)
    {
        var gate = app.Services.GetRequiredService<StartGate>();
        app.Use(next => context => gate.InvokeAsync(context, next));
        return app;
    }
}
