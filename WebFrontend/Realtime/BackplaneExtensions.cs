using Marketplace.Hosting.Settings;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Marketplace.WebFrontend.Realtime;

public static class BackplaneExtensions
{
    /// <summary>
    /// Makes every hub reach the connections of all frontends, over Orleans. Needs an Orleans client (or silo) in the same
    /// process, and <c>AddFrontendLeases()</c> and <c>AddRealtime()</c> on the silos. It takes a lease for this process; every
    /// process that holds one must have this, since channels wait for those that live and weren't heard of.
    /// </summary>
    public static ISignalRServerBuilder AddOrleansBackplane(this ISignalRServerBuilder signalR)
    {
        ArgumentNullException.ThrowIfNull(signalR);
        var services = signalR.Services;
        if (services.Any(service => service.ServiceType == typeof(ChannelTable)))
        {
            return signalR;
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddFrontendLease();
        services.AddSettings<BackplaneSettings>(BackplaneSettings.Section);
        services.AddSingleton<BackplaneMetrics>();
        services.AddSingleton<SlowReaders>();
        services.AddSingleton<ChannelTable>();
        services.AddSingleton<ChannelPublisher>();
        services.AddSingleton<LocalPlaces>();
        services.AddSingleton<FrontendObserver>();
        services.AddSingleton<FrontendLink>();
        services.AddHostedService(provider => provider.GetRequiredService<FrontendObserver>());
        services.AddHostedService(provider => provider.GetRequiredService<FrontendLink>());
        services.AddSingleton(typeof(HubPayloads<>));
        services.AddSingleton(typeof(HistoryPayloads<>));
        services.AddSingleton(typeof(HubDrain<>));
        services.AddSingleton(typeof(HubLifetimeManager<>), typeof(OrleansHubLifetimeManager<>));
        services.AddSingleton(typeof(IHubHistory<>), typeof(HubHistory<>));
        services.AddSingleton(typeof(IHubPresence<>), typeof(HubPresence<>));
        return signalR;
    }
}
