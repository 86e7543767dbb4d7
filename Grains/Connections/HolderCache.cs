using System.Collections.Concurrent;
using Marketplace.Connections;

namespace Marketplace.Grains.Connections;

/// <summary>How frontends are reached, for this silo's counters; asked for only when a connection is to be closed.</summary>
internal sealed class HolderCache(IGrainFactory grains)
{
    /// <summary>Twice the leases that there can be; most that are known then are of leases that have ended.</summary>
    private const int EntriesMax = 2_000;

    private readonly ConcurrentDictionary<long, IConnectionHolder> _known = new();

    /// <summary>The frontend of a lease, or null while nobody has heard of it: a frontend says so every second.</summary>
    public async ValueTask<IConnectionHolder?> FindAsync(long epoch)
    {
        if (_known.TryGetValue(epoch, out var known))
        {
            return known;
        }

        var found = await grains.GetGrain<IConnectionTotalGrain>(0).FindHolder(epoch);
        if (found is not null)
        {
            if (_known.Count >= EntriesMax)
            {
                _known.Clear();
            }

            _known[epoch] = found;
        }

        return found;
    }
}
