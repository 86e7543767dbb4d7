using Marketplace.Hosting.Health;
using Marketplace.Hosting.Stopping;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Hosting;

internal static class DrainExtensions
{
    /// <summary>The share of a 30 s stop, drain included, that requests in flight may use; what is left is for handing back leases.</summary>
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(28);

    public static IServiceCollection AddDrain(this IServiceCollection services)
    {
        services.AddSingleton<Drain>();
        services.AddHostedService(provider => provider.GetRequiredService<Drain>());
        services.AddSingleton<IBeforeStop>(provider => provider.GetRequiredService<Drain>());
        services.AddHealthChecks().AddCheck<Drain>("accepting", tags: [HealthTags.Ready]);
        services.Configure<HostOptions>(options => options.ShutdownTimeout = StopWithin);
        return services;
    }

    /// <summary>
    /// Before all else: every answer that a draining frontend gives ends its connection. A proxy keeps connections, and one that
    /// sends a POST by a connection at the moment that this process closes it must not send it again elsewhere.
    /// </summary>
    public static WebApplication UseDrain(this WebApplication app)
    {
        var drain = app.Services.GetRequiredService<Drain>();
        app.Use(next => context =>
        {
            if (drain.HasBegun && context.Request.Headers.Upgrade.Count == 0)
            {
                context.Response.Headers.Connection = "close";
            }

            return next(context);
        });
        return app;
    }
}

/// <summary>
/// On SIGTERM the frontend first stops being ready and goes on serving for a moment, so that proxies send new requests
/// elsewhere before the socket closes.
/// </summary>
internal sealed partial class Drain(IOptions<FrontendSettings> settings, TimeProvider clock, ILogger<Drain> logger)
    : IBeforeStop, IHostedLifecycleService, IHealthCheck
{
    private volatile bool _draining;

    public bool HasBegun => _draining;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_draining ? HealthCheckResult.Unhealthy("this frontend is stopping") : HealthCheckResult.Healthy());

    public async Task BeforeStopAsync(CancellationToken hurry)
    {
        _draining = true;
        LogDraining(settings.Value.DrainDelay);
        await Task.Delay(settings.Value.DrainDelay, clock, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>A stop that no signal asked for comes without a drain before it.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) =>
        _draining ? Task.CompletedTask : BeforeStopAsync(cancellationToken);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(LogLevel.Information, "Stopping: no longer ready, serving for another {Delay}")]
    private partial void LogDraining(TimeSpan delay);
}
