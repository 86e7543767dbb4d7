using System.Threading.RateLimiting;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// The frontend's limiter of HTTP requests: finds the policies that apply to a request, takes a permit from each, and hands
/// back what it took when one of them refuses. Sets the limit headers on the way, on admitted requests too.
/// </summary>
internal sealed class HttpLimiter(Partitions partitions, ILimitHeaders headers, IOptions<LimitsOptions> options)
    : PartitionedRateLimiter<HttpContext>
{
    private static readonly UncountedLease Unlimited = new(RefusalReason.None, default);

    private readonly LimitsOptions _options = options.Value;

    public override RateLimiterStatistics? GetStatistics(HttpContext resource)
    {
        foreach (var policy in PoliciesOf(resource))
        {
            if (partitions.Of(policy).Find(PartitionOf(resource)) is { } limiter)
            {
                return limiter.GetStatistics();
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

        var taken = new List<BucketLease>(policies.Count);
        foreach (var policy in policies)
        {
            taken.Add((BucketLease)partitions.Of(policy).Of(PartitionOf(resource)).AttemptAcquire(permitCount));
            if (!taken[^1].IsAcquired)
            {
                GiveBack(taken);
                return taken[^1]; // the middleware asks again, asynchronously
            }
        }

        return Conclude(resource, taken);
    }

    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(
        HttpContext context, int permitCount, CancellationToken cancellationToken)
    {
        var policies = PoliciesOf(context);
        var taken = new List<BucketLease>(policies.Count);
        try
        {
            foreach (var policy in policies)
            {
                taken.Add((BucketLease)await partitions.Of(policy).Of(PartitionOf(context)).AcquireAsync(permitCount, cancellationToken));
                if (!taken[^1].IsAcquired)
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

    private static void GiveBack(List<BucketLease> taken)
    {
        foreach (var lease in taken)
        {
            lease.GiveBack();
        }
    }

    private BucketLease Conclude(HttpContext context, List<BucketLease> taken)
    {
        var statuses = taken.Select(lease => lease.Status).Where(status => status.Limit > 0).ToList();
        if (statuses.Count > 0)
        {
            headers.Write(context.Response.Headers, statuses);
        }

        return taken[^1];
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

    private string PartitionOf(HttpContext context) =>
        ClientAddress.ToPartition(context.Connection.RemoteIpAddress, _options.IPv6PrefixLength);
}
