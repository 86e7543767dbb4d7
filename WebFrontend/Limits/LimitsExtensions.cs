using System.Threading.RateLimiting;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

internal static class LimitsExtensions
{
    /// <summary>
    /// Puts the cluster's limits behind ASP.NET Core's rate-limiting middleware. Endpoints say
    /// <c>RequireRateLimiting("policy")</c> as ever, several times if need be.
    /// </summary>
    public static IServiceCollection AddLimits(this IServiceCollection services)
    {
        services.AddSettings<LimitsOptions>(LimitsOptions.Section);
        services.AddLimitPolicies();
        services.AddSingleton<ILimitHeaders, IetfLimitHeaders>();
        services.AddSingleton<PermitRecalls>();
        services.AddSingleton<IPartitionResetListener>(provider => provider.GetRequiredService<PermitRecalls>());
        services.AddSingleton<BucketLink>();
        services.AddSingleton<IBucketLink>(provider => provider.GetRequiredService<BucketLink>());
        services.AddSingleton<Partitions>();
        services.AddSingleton(provider => new Lazy<Partitions>(provider.GetRequiredService<Partitions>));
        services.AddSingleton<HttpLimiter>();
        services.AddHostedService<PartitionKeeper>();
        services.AddRateLimiter();
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<LimitsOptions>, HttpLimiter>((limiter, limits, http) =>
        {
            limiter.GlobalLimiter = http;
            limiter.OnRejected = RefuseAsync;
            foreach (var name in limits.Value.Policies.Keys)
            {
                // The middleware wants every name that an endpoint mentions to exist. Our limiter reads the names itself, since
                // all policies of a request must be taken or none.
                limiter.AddPolicy(name, _ => RateLimitPartition.GetNoLimiter(name));
            }
        });
        return services;
    }

    private static ValueTask RefuseAsync(OnRejectedContext rejected, CancellationToken cancellationToken) =>
        new(WriteRefusalAsync(rejected.HttpContext, rejected.Lease));

    /// <summary>429, or 503 when the bucket could not be reached.</summary>
    public static async Task WriteRefusalAsync(HttpContext context, RateLimitLease lease)
    {
        lease.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter);
        lease.TryGetMetadata(BucketLease.ReasonName, out var reason);
        if (reason == RefusalReason.Unavailable)
        {
            await ProblemWriter.WriteUnavailableAsync(context, "Nothing was changed; please try again.", retryAfter);
            return;
        }

        lease.TryGetMetadata(BucketLease.StatusName, out var status);
        await ProblemWriter.WriteAsync(
            context,
            StatusCodes.Status429TooManyRequests,
            ProblemTypes.RateLimited,
            "Too many requests",
            $"The limit \"{status.Policy}\" allows {status.Limit} requests in {ProblemWriter.Seconds(status.Window)} s; "
            + $"try again in {ProblemWriter.Seconds(retryAfter)} s.",
            retryAfter);
    }
}
