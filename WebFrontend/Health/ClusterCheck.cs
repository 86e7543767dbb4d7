using Marketplace.Health;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.WebFrontend.Health;

/// <summary>Ready only while a silo answers.</summary>
internal sealed class ClusterCheck(IGrainFactory grains, TimeProvider clock) : IHealthCheck
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await grains.GetGrain<IEchoGrain>(0).Echo().AsTask().WaitAsync(Deadline, clock, cancellationToken);
            return HealthCheckResult.Healthy();
        }
#pragma warning disable CA1031 // whatever went wrong, the answer to "is a silo reachable" is no
        catch (Exception error)
#pragma warning restore CA1031
        {
            return HealthCheckResult.Unhealthy("no silo answers", error);
        }
    }
}
