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

    private readonly Lock _gate = new();
    private Task<Entry>? _latest;

    public async ValueTask<ConnectionCaps> GetAsync()
    {
        for (var attempt = 1; attempt <= AttemptsMax; attempt++)
        {
            var entry = await LatestAsync();
            if (IsFresh(entry))
            {
                return entry.Caps;
            }
        }

        throw new UnavailableException("The caps on connections can't be had in time.");
    }

    /// <summary>The answer that counts still, or one that all share who ask meanwhile.</summary>
    private Task<Entry> LatestAsync()
    {
        lock (_gate)
        {
            if (_latest is { IsFaulted: false, IsCanceled: false } latest && (!latest.IsCompleted || IsFresh(latest.GetAwaiter().GetResult())))
            {
                return latest;
            }

            var askedAt = clock.GetTimestamp();
            return _latest = Task.Run(async () => new Entry((await grains.GetGrain<IConnectionCapsGrain>(0).Get()).Caps, askedAt));
        }
    }

    private bool IsFresh(Entry entry) => clock.GetElapsedTime(entry.AskedAt) < FreshFor;

    private sealed record Entry(ConnectionCaps Caps, long AskedAt);
}
