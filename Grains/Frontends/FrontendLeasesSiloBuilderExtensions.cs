using Marketplace.Frontends;
using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.Grains.Frontends;

public static class FrontendLeasesSiloBuilderExtensions
{
    /// <summary>Adds what the lease grain needs. Idempotent.</summary>
    public static ISiloBuilder AddFrontendLeases(this ISiloBuilder silo)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.AddSettings<FrontendLeaseSettings>(FrontendLeaseSettings.Section);
        silo.Services.TryAddSingleton<EpochCache>();
        return silo;
    }
}
