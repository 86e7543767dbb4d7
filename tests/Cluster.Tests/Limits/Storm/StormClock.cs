namespace Cluster.Tests.Limits.Storm;

/// <summary>The one monotonic clock that the load, the chaos and the judge share.</summary>
internal sealed class StormClock(TimeProvider clock)
{
    private long _startedAt = clock.GetTimestamp();

    public TimeSpan Now => clock.GetElapsedTime(_startedAt);

    /// <summary>Begins at zero, for those who read the log; nobody may have looked at it yet.</summary>
    public void Restart() => _startedAt = clock.GetTimestamp();

    public Task DelayAsync(TimeSpan duration, CancellationToken cancellationToken = default) =>
        Task.Delay(duration, clock, cancellationToken);
}
