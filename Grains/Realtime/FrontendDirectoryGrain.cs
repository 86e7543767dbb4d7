using Marketplace.Frontends;
using Marketplace.Realtime;
using Orleans.Concurrency;

namespace Marketplace.Grains.Realtime;

/// <summary>
/// Keeps the addresses of frontends in memory. A new activation knows from the leases whom it hasn't heard of: a frontend
/// announces itself before it listens to anything, so only leases older than the activation can be missing.
/// </summary>
[Reentrant]
internal sealed class FrontendDirectoryGrain(ISiloStatusOracle silos) : Grain, IFrontendDirectoryGrain
{
    private readonly Dictionary<long, FrontendAddress> _announced = [];
    private readonly HashSet<long> _unannounced = [];

    private IFrontendLeasesGrain Leases => GrainFactory.GetGrain<IFrontendLeasesGrain>(0);

    public override async Task OnActivateAsync(CancellationToken cancellationToken) =>
        _unannounced.UnionWith((await Leases.GetLive()).Select(lease => lease.Epoch));

    public ValueTask<long> Announce(FrontendAddress frontend)
    {
        _announced[frontend.Epoch] = frontend;
        _unannounced.Remove(frontend.Epoch);
        return ValueTask.FromResult(NameOf(silos.GetApproximateSiloStatuses(onlyActive: true).Keys));
    }

    public async ValueTask<LiveFrontends> GetAll()
    {
        // Whoever announces itself while the leases are asked for may have a younger lease than the answer knows of.
        var before = _announced.Keys.ToArray();
        var live = (await Leases.GetLive()).Select(lease => lease.Epoch).ToHashSet();
        foreach (var epoch in before.Where(epoch => !live.Contains(epoch)))
        {
            _announced.Remove(epoch);
        }

        _unannounced.IntersectWith(live);
        return new([.. _announced.Values], [.. _unannounced]);
    }

    /// <summary>The same for the same silos in any order; a silo that restarted is another one.</summary>
    private static long NameOf(IEnumerable<SiloAddress> active)
    {
        var name = 0L;
        foreach (var silo in active)
        {
            name += silo.GetConsistentHashCode() * 2_654_435_761L;
        }

        return name;
    }
}
