using Marketplace.Hosting.Health;
using Marketplace.Limits;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// Lets nobody pass until the link to the silos has stood once: before that Orleans doesn't even know which grains exist, and this
/// frontend doesn't know which limits operators have changed. Later losses of the link show as failed calls, which are answered
/// one by one. As long as it is closed the frontend isn't ready: a proxy that goes by that sends nobody here.
/// <para>
/// nginx doesn't go by that: it sends requests as soon as the port is open. They wait, because with silos at hand the gate opens
/// within a moment, and a restart is to fail nobody's request. How many wait is bounded by <c>Frontend:MaxConnections</c>.
/// </para>
/// </summary>
internal sealed class StartGate(LimitPolicies policies, TimeProvider clock) : IHostedLifecycleService, IHealthCheck
{
    /// <summary>While PostgreSQL is away nobody knows what was changed; the site is to be there all the same.</summary>
    private static readonly TimeSpan HearsWithin = TimeSpan.FromSeconds(5);

    /// <summary>The longest that a request waits; with its own 30 s after that it ends before nginx gives it up.</summary>
    private static readonly TimeSpan HoldsFor = TimeSpan.FromSeconds(5);

    private static readonly PathString Health = "/api/health";

    /// <summary>A proxy takes a live connection elsewhere when it is refused, which is better than to wait here.</summary>
    private static readonly PathString Hubs = "/hubs";

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool IsOpen => _opened.Task.IsCompleted;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        // All hosted services have started, the Orleans client or the silo among them.
        await policies.Heard.WaitAsync(HearsWithin, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _opened.TrySetResult();
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(IsOpen ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("this frontend is starting"));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Passes a request on once the gate is open. Health has to answer always.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next) =>
        IsOpen || context.Request.Path.StartsWithSegments(Health) ? next(context) : HoldAsync(context, next);

    private async Task HoldAsync(HttpContext context, RequestDelegate next)
    {
        if (!context.Request.Path.StartsWithSegments(Hubs))
        {
            await _opened.Task.WaitAsync(HoldsFor, clock, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (IsOpen)
        {
            await next(context);
            return;
        }

        await ProblemWriter.WriteUnavailableAsync(
            context, "This frontend is starting and has not reached a silo yet.", TimeSpan.FromSeconds(2));
    }
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
