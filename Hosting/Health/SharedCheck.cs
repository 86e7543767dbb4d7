using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.Hosting.Health;

/// <summary>
/// Runs a check that asks others at most once a second and tells all who ask meanwhile what it found: a frontend's readiness is
/// public and not limited, so that asking must cost PostgreSQL and the silos nothing.
/// </summary>
internal sealed class SharedCheck<T>(T check, TimeProvider clock) : IHealthCheck where T : IHealthCheck
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private Task<HealthCheckResult>? _latest;
    private long _startedAt;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (_latest is null || (_latest.IsCompleted && clock.GetElapsedTime(_startedAt) >= Interval))
            {
                _startedAt = clock.GetTimestamp();
                _latest = Task.Run(() => RunAsync(context), CancellationToken.None);
            }

            return _latest.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Not for as long as the one waits who asked first.</summary>
    private async Task<HealthCheckResult> RunAsync(HealthCheckContext context)
    {
        using var deadline = new CancellationTokenSource(Deadline, clock);
        return await check.CheckHealthAsync(context, deadline.Token);
    }
}
