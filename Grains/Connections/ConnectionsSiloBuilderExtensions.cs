using Marketplace.Connections;
using Marketplace.Grains.Connections.Storage;
using Marketplace.Grains.Frontends;
using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.Grains.Connections;

public static class ConnectionsSiloBuilderExtensions
{
    /// <summary>Adds the counters of connections, and the leases they rest upon. Idempotent.</summary>
    public static ISiloBuilder AddConnections(this ISiloBuilder silo)
    {
        silo.AddFrontendLeases();
        silo.Services.AddSettings<ConnectionCaps>(ConnectionCaps.Section);
        silo.Services.TryAddSingleton<CapsCache>();
        silo.Services.TryAddSingleton<HolderCache>();
        silo.Services.TryAddSingleton<ISlotStore, PostgresSlotStore>();
        return silo;
    }
}
