namespace Marketplace.Bench.Load.Driver;

/// <summary>Does things at a set rate, whether the last one is done or not: what is measured must not slow its own measurement.</summary>
/// <param name="perSecond">0 for as fast as they are asked for.</param>
internal sealed class Pace(double perSecond)
{
    private static readonly TimeSpan TimersGrain = TimeSpan.FromMilliseconds(1);
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();

    /// <summary>Waits until the n-th thing is due, to a millisecond or so; what is overdue is due at once.</summary>
    public async ValueTask DueAsync(long n, CancellationToken cancellationToken)
    {
        if (perSecond > 0)
        {
            var wait = TimeSpan.FromSeconds(n / perSecond) - TimeProvider.System.GetElapsedTime(_startedAt);
            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait < TimersGrain ? TimersGrain : wait, TimeProvider.System, cancellationToken);
            }
        }
    }
}
