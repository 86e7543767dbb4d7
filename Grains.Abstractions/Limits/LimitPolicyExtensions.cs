using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Marketplace.Limits;

public static class LimitPolicyExtensions
{
    /// <summary>
    /// Adds a feature's policy with its defaults, which the configuration may override one value at a time. Silos and
    /// frontends both have to add it. Idempotent.
    /// </summary>
    public static IServiceCollection AddLimitPolicy(this IServiceCollection services, string name, int limit, TimeSpan window)
    {
        // First of all that configure the options, whatever was added before: the configuration is bound over it.
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<LimitsOptions>>(new ConfigureOptions<LimitsOptions>(
            options => options.Policies[name] = new() { Limit = limit, Window = window })));
        return services;
    }

    /// <summary>The policies as operators have them at the moment; one for a silo and a frontend that share a process. Idempotent.</summary>
    public static IServiceCollection AddLimitPolicies(this IServiceCollection services)
    {
        services.TryAddSingleton<LimitPolicies>();
        services.TryAddSingleton<ILimitPolicies>(provider => provider.GetRequiredService<LimitPolicies>());
        services.AddHostedService<LimitPolicyFollower>();
        return services;
    }
}
