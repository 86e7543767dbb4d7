using System.Threading.RateLimiting;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Calls;
using Marketplace.WebFrontend.Limits.Http;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

internal static class LimitsExtensions
{
    /// <summary>
    /// Puts the cluster's limits behind ASP.NET Core's rate-limiting middleware. Endpoints say
    /// <c>RequireRateLimiting("policy")</c> as ever, several times if need be, or <c>RequireLimit("policy", cost, countsWhen)</c>.
    /// </summary>
    public static IServiceCollection AddLimits(this IServiceCollection services)
    {
        services.AddSettings<LimitsOptions>(LimitsOptions.Section);
        services.AddLimitPolicies();
        services.AddSingleton<IetfLimitHeaders>();
        services.TryAddSingleton<ILimitHeaders>(provider =>
            provider.GetRequiredService<IOptions<LimitsOptions>>().Value.LegacyHeaders
                ? new LegacyLimitHeaders(provider.GetRequiredService<IetfLimitHeaders>(), provider.GetRequiredService<TimeProvider>())
                : provider.GetRequiredService<IetfLimitHeaders>());
        services.AddSingleton<PermitRecalls>();
        services.AddSingleton<IPartitionResetListener>(provider => provider.GetRequiredService<PermitRecalls>());
        services.AddSingleton<BucketLink>();
        services.AddSingleton<IBucketLink>(provider => provider.GetRequiredService<BucketLink>());
        services.AddSingleton<Partitions>();
        services.AddSingleton(provider => new Lazy<Partitions>(provider.GetRequiredService<Partitions>));
        services.AddSingleton<LimitPlans>();
        services.AddSingleton<HttpLimiter>();
        services.AddSingleton<IOutgoingGrainCallFilter, LimitedCallFilter>();
        services.AddSingleton<FrontendLimitMeters>();
        services.AddHostedService<PartitionKeeper>();
        services.AddRateLimiter();
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<LimitsOptions>, HttpLimiter>((limiter, limits, http) =>
        {
            limiter.GlobalLimiter = http;
            limiter.OnRejected = static (rejected, _) => new(RefusalWriter.WriteAsync(rejected.HttpContext, rejected.Lease));
            foreach (var name in limits.Value.Policies.Keys)
            {
                // The middleware wants every name that an endpoint mentions to exist. Our limiter reads the names itself, since
                // all policies of a request must be taken or none.
                limiter.AddPolicy(name, _ => RateLimitPartition.GetNoLimiter(name));
            }
        });
        return services;
    }
}
