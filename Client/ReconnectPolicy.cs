namespace Marketplace.Client;

/// <summary>
/// When to try again: exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015), so that many
/// who lost the same server don't come back together.
/// </summary>
internal sealed class ReconnectPolicy(TimeSpan first, TimeSpan max, Random random)
{
    /// <summary>A server that asks for more patience than this is asked again all the same.</summary>
    public static readonly TimeSpan RetryAfterMax = TimeSpan.FromMinutes(10);

    private const int DoublingsMax = 20;

    /// <param name="failures">Failures in a row, 1 or more.</param>
    /// <param name="retryAfter">What the server asked for: a least, to which the jitter is added.</param>
    public TimeSpan DelayAfter(int failures, TimeSpan? retryAfter = null)
    {
        var ceiling = first * (1 << Math.Clamp(failures - 1, 0, DoublingsMax));
        var jitter = Jitter(ceiling < max ? ceiling : max);
        return retryAfter is { } least ? (least < RetryAfterMax ? least : RetryAfterMax) + jitter : jitter;
    }

#pragma warning disable CA5394 // nothing secret hangs on it
    public TimeSpan Jitter(TimeSpan ceiling) => ceiling * random.NextDouble();
#pragma warning restore CA5394
}
