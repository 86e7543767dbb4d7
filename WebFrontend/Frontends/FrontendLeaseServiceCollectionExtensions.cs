using Marketplace.Frontends;
using Marketplace.Hosting.Settings;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Frontends;

internal static class FrontendLeaseServiceCollectionExtensions
{
    /// <summary>Adds this process's <see cref="IFrontendLease"/>. Idempotent.</summary>
    public static IServiceCollection AddFrontendLease(this IServiceCollection services)
    {
        if (services.Any(service => service.ServiceType == typeof(IFrontendLease)))
        {
            return services;
        }

        services.AddSettings<FrontendLeaseSettings>(FrontendLeaseSettings.Section);
        services.AddSettings<FrontendSettings>(FrontendSettings.Section);
        services.AddSingleton<FrontendLease>();
        services.AddSingleton<IFrontendLease>(provider => provider.GetRequiredService<FrontendLease>());
        services.AddHostedService(provider => provider.GetRequiredService<FrontendLease>());
        return services;
    }
}
