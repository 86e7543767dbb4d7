using Marketplace.Connections;
using Marketplace.Trouble;

namespace Marketplace.Grains.Connections;

/// <summary>
/// The caps, for this silo's counters. An answer counts for a second from the moment it was asked for and never longer,
/// so that a change can be acknowledged once all older answers have expired: who is unreachable admits nobody by them either.
/// </summary>
internal sealed class CapsCache(IGrainFactory grains, TimeProvider clock)
{
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    /// <summary>An answer that took longer than it counts for says nothing.</summary>
    private const int AttemptsMax = 3;

    private volatile Entry? _entry;

    public async ValueTask<ConnectionCaps> GetAsync()
    {
        if (_entry is { } entry && clock.GetElapsedTime(entry.AskedAt) < FreshFor)
        {
            return entry.Caps;
        }

        for (var attempt = 1; ; attempt++)
        {
            var askedAt = clock.GetTimestamp();
            var caps = (await grains.GetGrain<IConnectionCapsGrain>(0).Get()).Caps;
            if (clock.GetElapsedTime(askedAt) < FreshFor)
            {
                _entry = new(caps, askedAt);
                return caps;
            }

            if (attempt == AttemptsMax)
            {
                throw new UnavailableException("The caps on connections can't be had in time.");
            }
        }
    }

    private sealed record Entry(ConnectionCaps Caps, long AskedAt);
}
