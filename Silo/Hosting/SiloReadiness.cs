using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.Silo.Hosting;

/// <summary>Ready while this silo is an active member of its cluster.</summary>
internal sealed class SiloReadiness(ISiloStatusOracle status) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(status.CurrentStatus == SiloStatus.Active
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"this silo is {status.CurrentStatus}, not Active"));
}
