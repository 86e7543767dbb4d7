using System.Threading.RateLimiting;
using Marketplace.Limits;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// The frontend's limiter of HTTP requests: finds the policies that apply to a request, takes a permit from each, and hands
/// back what it took when one of them refuses. Sets the limit headers on the way, on admitted requests too.
/// </summary>
internal sealed class HttpLimiter(BucketLimiters limiters, ILimitHeaders headers, IOptions<LimitsOptions> options)
    : PartitionedRateLimiter<HttpContext>
{
    private static readonly BucketLease Unlimited = new(RefusalReason.None, default);

    private readonly LimitsOptions _options = options.Value;

    public override RateLimiterStatistics? GetStatistics(HttpContext resource)
    {
        foreach (var policy in PoliciesOf(resource))
        {
            if (limiters.StatisticsOf(KeyOf(policy, resource)) is { } statistics)
            {
                return statistics;
            }
        }

        return null;
    }

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount)
    {
        var policies = PoliciesOf(resource);
        if (policies.Count == 0)
        {
            return Unlimited;
        }

        var taken = new List<(BucketRateLimiter Limiter, BucketLease Lease)>(policies.Count);
        foreach (var policy in policies)
        {
            var limiter = limiters.Of(KeyOf(policy, resource));
            taken.Add((limiter, (BucketLease)limiter.AttemptAcquire(permitCount)));
            if (!taken[^1].Lease.IsAcquired)
            {
                GiveBack(taken);
                return taken[^1].Lease; // the middleware asks again, asynchronously
            }
        }

        return Conclude(resource, taken);
    }

    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(
        HttpContext context, int permitCount, CancellationToken cancellationToken)
    {
        var policies = PoliciesOf(context);
        var taken = new List<(BucketRateLimiter Limiter, BucketLease Lease)>(policies.Count);
        try
        {
            foreach (var policy in policies)
            {
                var limiter = limiters.Of(KeyOf(policy, context));
                taken.Add((limiter, (BucketLease)await limiter.AcquireAsync(permitCount, cancellationToken)));
                if (!taken[^1].Lease.IsAcquired)
                {
                    GiveBack(taken);
                    break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            GiveBack(taken);
            throw;
        }

        return taken.Count == 0 ? Unlimited : Conclude(context, taken);
    }

    private static void GiveBack(List<(BucketRateLimiter Limiter, BucketLease Lease)> taken)
    {
        foreach (var (limiter, lease) in taken)
        {
            limiter.GiveBack(lease);
        }
    }

    private BucketLease Conclude(HttpContext context, List<(BucketRateLimiter Limiter, BucketLease Lease)> taken)
    {
        var statuses = new List<PermitStatus>(taken.Count);
        foreach (var (_, lease) in taken)
        {
            if (lease.TryGetMetadata(BucketLease.Status, out var status) && status.Limit > 0)
            {
                statuses.Add(status);
            }
        }

        if (statuses.Count > 0)
        {
            headers.Write(context.Response.Headers, statuses);
        }

        return taken[^1].Lease;
    }

    /// <summary><c>general</c> for everything under <c>/api</c>, then what the endpoint asks for.</summary>
    private List<string> PoliciesOf(HttpContext context)
    {
        var policies = new List<string>(2);
        if (!_options.Enabled)
        {
            return policies;
        }

        var path = context.Request.Path;
        if (path.StartsWithSegments("/api") && (_options.LimitHealth || !path.StartsWithSegments("/api/health")))
        {
            policies.Add(LimitsOptions.General);
        }

        foreach (var asked in context.GetEndpoint()?.Metadata.GetOrderedMetadata<EnableRateLimitingAttribute>() ?? [])
        {
            if (asked.PolicyName is { } name && !policies.Contains(name))
            {
                policies.Add(name);
            }
        }

        return policies;
    }

    private BucketKey KeyOf(string policy, HttpContext context) =>
        new(policy, ClientAddress.ToPartition(context.Connection.RemoteIpAddress, _options.IPv6PrefixLength));
}
