using Marketplace.Grains.Realtime.History;
using Marketplace.Hosting.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Marketplace.Grains.Realtime;

public static class RealtimeSiloBuilderExtensions
{
    /// <summary>
    /// Adds the silo's part of the SignalR backplane: channels, those with history (which need a data source), and the directory
    /// of frontends. Idempotent.
    /// </summary>
    public static ISiloBuilder AddRealtime(this ISiloBuilder silo)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.TryAddSingleton<FrontendDirectory>();
        silo.Services.AddSettings<HistorySettings>(HistorySettings.Section);
        silo.Services.TryAddSingleton<IHistoryStore, PostgresHistoryStore>();
        silo.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, HistorySweeper>());
        return silo;
    }
}
