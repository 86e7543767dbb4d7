using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.Grains.Realtime;

public static class RealtimeSiloBuilderExtensions
{
    /// <summary>Adds the silo's part of the SignalR backplane: channels and the directory of frontends.</summary>
    public static ISiloBuilder AddRealtime(this ISiloBuilder silo)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.TryAddSingleton<FrontendDirectory>();
        return silo;
    }
}
