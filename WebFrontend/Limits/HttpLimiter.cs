using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Marketplace.Limits;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits;

/// <summary>
/// The frontend's limiter of HTTP requests: finds the policies that apply to a request, takes a permit from each, and hands
/// back what it took when one of them refuses. Sets the limit headers on the way, on admitted requests too.
/// </summary>
internal sealed class HttpLimiter(
    IGrainFactory grains,
    IOptions<LimitsOptions> options,
    ILimitHeaders headers,
    TimeProvider clock,
    ILogger<HttpLimiter> logger) : PartitionedRateLimiter<HttpContext>
{
    private static readonly BucketLease Unlimited = new(RefusalReason.None, default);

    private readonly ConcurrentDictionary<BucketKey, BucketRateLimiter> _partitions = new();
    private readonly LimitsOptions _options = options.Value;
    private int _partitionCount;

    public override RateLimiterStatistics? GetStatistics(HttpContext resource)
    {
        foreach (var policy in PoliciesOf(resource))
        {
            if (_partitions.TryGetValue(KeyOf(policy, resource), out var limiter))
            {
                return limiter.GetStatistics();
            }
        }

        return null;
    }

    /// <summary>Forgets partitions that have had nothing to do for <paramref name="idleFor"/>.</summary>
    public void RemoveIdle(TimeSpan idleFor)
    {
        foreach (var (key, limiter) in _partitions)
        {
            // One that is used again between the two lines has its permits from the bucket all the same: nothing is lost but
            // the memory of a denial.
            if (limiter.IdleDuration > idleFor && _partitions.TryRemove(new(key, limiter)))
            {
                Interlocked.Decrement(ref _partitionCount);
                limiter.Dispose();
            }
        }
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
            var limiter = LimiterOf(policy, resource);
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
                var limiter = LimiterOf(policy, context);
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

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var limiter in _partitions.Values)
            {
                limiter.Dispose();
            }
        }

        base.Dispose(disposing);
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

    private BucketRateLimiter LimiterOf(string policy, HttpContext context)
    {
        var key = KeyOf(policy, context);
        if (_partitions.TryGetValue(key, out var limiter))
        {
            return limiter;
        }

        limiter = new BucketRateLimiter(policy, grains.GetGrain<IBucketGrain>(key.ToString()), _options.Deadline, clock, logger);
        if (Interlocked.Increment(ref _partitionCount) > _options.MaxPartitions)
        {
            // The table is full: this request asks its bucket like any other, and only forgets what it heard.
            Interlocked.Decrement(ref _partitionCount);
            return limiter;
        }

        var kept = _partitions.GetOrAdd(key, limiter);
        if (kept != limiter)
        {
            Interlocked.Decrement(ref _partitionCount);
        }

        return kept;
    }
}
