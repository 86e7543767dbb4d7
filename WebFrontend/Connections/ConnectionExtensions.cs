using Marketplace.Hosting.Stopping;
using Marketplace.WebFrontend.Frontends;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Connections;

internal static class ConnectionExtensions
{
    /// <summary>
    /// Adds the caps on connections and the lease they rest upon. Stands before the drain, since what is registered first
    /// stops last.
    /// </summary>
    public static IServiceCollection AddConnectionLimits(this IServiceCollection services)
    {
        services.AddFrontendLease();
        services.AddSingleton<ConnectionHolder>();
        services.AddSingleton<ConnectionTotal>();
        services.AddHostedService(provider => provider.GetRequiredService<ConnectionTotal>());
        services.AddSingleton<ConnectionDrain>();
        services.AddHostedService(provider => provider.GetRequiredService<ConnectionDrain>());
        services.AddSingleton<IBeforeStop>(provider => provider.GetRequiredService<ConnectionDrain>());
        services.AddSingleton<UserAttempts>();
        services.AddSingleton<UserSlots>();
        services.AddSingleton<ConnectionMetrics>();
        services.AddSingleton<AdmittedConnections>();
        services.AddHostedService<ConnectionCloser>();
        services.AddSingleton<ConnectionAdmission>();
        services.AddSingleton(typeof(HubConnectionHandler<>), typeof(CountedHubHandler<>)); // SignalR's own is only a fallback
        return services;
    }

    /// <summary>
    /// Lets the endpoint's requests in by <see cref="ConnectionAdmission"/>. It wraps the endpoint itself, so it comes after
    /// authorization wherever that stands in the pipeline.
    /// </summary>
    public static T WithConnectionLimits<T>(this T endpoints) where T : IEndpointConventionBuilder
    {
        endpoints.Add(endpoint =>
        {
            if (endpoint.RequestDelegate is { } inner)
            {
                endpoint.RequestDelegate = context =>
                    context.RequestServices.GetRequiredService<ConnectionAdmission>().InvokeAsync(context, inner);
            }
        });
        return endpoints;
    }
}
