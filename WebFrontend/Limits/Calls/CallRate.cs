namespace Marketplace.WebFrontend.Limits.Calls;

/// <summary>
/// So many calls at once, and then as they come back: so many a second. The generic cell rate algorithm (ITU-T I.371): all that is
/// kept is the time at which the bucket would be full again.
/// </summary>
/// <param name="perSecond">Calls a second, and calls at once.</param>
/// <param name="ticksPerSecond">The clock's frequency.</param>
internal sealed class CallRate(int perSecond, long ticksPerSecond)
{
    private long _fullAt;
    private int _refused;

    /// <summary>Calls refused since the caller last paused until the bucket was full.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Takes a call.</summary>
    /// <param name="now">Timestamp.</param>
    /// <param name="wait">When refused: ticks until one is free.</param>
    public bool TryTake(long now, out long wait)
    {
        var seen = Volatile.Read(ref _fullAt);
        while (true)
        {
            var next = Math.Max(seen, now) + (ticksPerSecond / perSecond);
            wait = next - now - ticksPerSecond;
            if (wait > 0)
            {
                Interlocked.Increment(ref _refused);
                return false;
            }

            var before = Interlocked.CompareExchange(ref _fullAt, next, seen);
            if (before == seen)
            {
                if (seen <= now)
                {
                    Volatile.Write(ref _refused, 0);
                }

                return true;
            }

            seen = before;
        }
    }
}
