using Marketplace.Grains.Frontends;
using Marketplace.Hosting.Settings;

namespace Marketplace.Grains.Connections;

public static class ConnectionsSiloBuilderExtensions
{
    /// <summary>Adds the counters of connections, and the leases they rest upon. Idempotent.</summary>
    public static ISiloBuilder AddConnections(this ISiloBuilder silo)
    {
        silo.AddFrontendLeases();
        silo.Services.AddSettings<ConnectionSettings>(ConnectionSettings.Section);
        return silo;
    }
}
