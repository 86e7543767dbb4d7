using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Threading.RateLimiting;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.AspNetCore.Authentication;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// The frontend's limiter of HTTP requests: finds the policies that apply to a request and takes permits from each, all or none.
/// Sets the limit headers on the way, on admitted requests too.
/// </summary>
/// <remarks>
/// <see cref="AttemptAcquireCore"/> is the way of nearly all admitted requests: it spends what is in hand, allocates nothing but the
/// headers' text, and knows nothing else. Whatever it can't answer so, refusals among it, is left to
/// <see cref="AcquireAsyncCore"/>, which the middleware calls next; so a refusal is counted once. <see cref="FloodGate"/> is the
/// way of nearly all that are refused.
/// </remarks>
internal sealed class HttpLimiter(LimitPlans plans, ILimitHeaders headers) : PartitionedRateLimiter<HttpContext>
{
    private static readonly UncountedLease Unlimited = new(RefusalReason.None, default);

    public override RateLimiterStatistics? GetStatistics(HttpContext resource)
    {
        foreach (var limit in plans.Of(resource.GetEndpoint()))
        {
            if (limit.CostOf(resource.Request) > 0 && limit.Find(resource, limit.Rules) is { } limiter)
            {
                return limiter.GetStatistics();
            }
        }

        return null;
    }

    /// <summary>
    /// Takes permits of policies that code asks for by name, all or none, and tells nobody where they stand. A policy that limits the
    /// request anyway, by its endpoint or path, isn't counted twice.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="limits">A policy's name, and the partition where it isn't named by the policy's key.</param>
    /// <returns>The lease, to be disposed of; or the refusal.</returns>
    public async ValueTask<BucketLease> TakeAsync(HttpContext context, params (string Policy, string? Partition)[] limits)
    {
        var planned = new List<(PlannedLimit Limit, string? Partition)>(limits.Length);
        var needsUser = false;
        foreach (var (policy, partition) in limits)
        {
            if (plans.Find(policy) is { } limit && !(partition is null && IsPlanned(context, policy)))
            {
                planned.Add((limit, partition));
                needsUser |= limit.Rules.NeedsUser;
            }
        }

        var user = needsUser ? await UserOfAsync(context) : null;
        var asked = new List<Asked>(planned.Count);
        foreach (var (limit, partition) in planned)
        {
            var rules = limit.Rules;
            if (!rules.Exempts(context, user))
            {
                var limiter = partition is null ? limit.Of(context, rules, user) : limit.Of(partition);
                asked.Add(new(limiter, Permits: 1, rules.IsShadow, CountsWhen: null));
            }
        }

        var taken = new BucketLease[asked.Count];
        return await Asked.TakeAllAsync([.. asked], taken, context.RequestAborted) is { } refusal ? refusal
            : taken.Length == 0 ? Unlimited
            : JointLease.Of(taken);
    }

    /// <summary>
    /// Refuses what any of its policies is known to refuse, when that can be told without finding out who the caller is; sets the
    /// limit headers then.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="status">Where the partition stands that refuses.</param>
    /// <returns>Whether it is refused; otherwise nothing is known, and nothing was taken.</returns>
    public bool TryRefuse(HttpContext context, out PermitStatus status)
    {
        foreach (var limit in plans.Of(context.GetEndpoint()))
        {
            var cost = limit.MayRefuse ? limit.CostOf(context.Request) : 0;
            if (cost == 0)
            {
                continue;
            }

            var rules = limit.Rules;
            if (rules.NeedsUser)
            {
                break; // a policy before others that refuse is told of first
            }

            if (!rules.IsShadow && !rules.Exempts(context, user: null) && limit.Find(context, rules)?.KnownRefusal(rules.AtMostAll(cost)) is { IsAcquired: false } refusal)
            {
                status = refusal.Status;
                Show(context, [status]);
                return true;
            }
        }

        status = default;
        return false;
    }

    private bool IsPlanned(HttpContext context, string policy) =>
        plans.Of(context.GetEndpoint()).Any(limit => limit.Policy == policy && limit.CostOf(context.Request) > 0);

    protected override RateLimitLease AttemptAcquireCore(HttpContext resource, int permitCount)
    {
        var limiters = default(Few<BucketRateLimiter>);
        var shown = default(Few<bool>);
        var count = 0;
        foreach (var limit in plans.Of(resource.GetEndpoint()))
        {
            var cost = limit.CostOf(resource.Request);
            if (cost == 0)
            {
                continue;
            }

            var rules = limit.Rules;
            if (rules.NeedsUser)
            {
                return UncountedLease.Unknown;
            }

            if (rules.Exempts(resource, user: null))
            {
                continue;
            }

            if (cost != 1 || permitCount != 1 || rules.IsConcurrency || limit.CountsWhen is not null || count == Few<bool>.Length
                || limit.Find(resource, rules) is not { } limiter)
            {
                return UncountedLease.Unknown;
            }

            (limiters[count], shown[count++]) = (limiter, !rules.IsShadow);
        }

        return count == 0 ? Unlimited : SpendAll(resource, limiters[..count], shown[..count]);
    }

    protected override async ValueTask<RateLimitLease> AcquireAsyncCore(
        HttpContext context, int permitCount, CancellationToken cancellationToken)
    {
        var limits = plans.Of(context.GetEndpoint());
        var user = NeedsUser(context, limits) ? await UserOfAsync(context) : null;
        var asked = Ask(context, limits, user, permitCount);
        if (asked.Length == 0)
        {
            return Unlimited;
        }

        var taken = new BucketLease[asked.Length];
        if (await Asked.TakeAllAsync(asked, taken, cancellationToken) is { } refusal)
        {
            return refusal; // whose answer tells of the policy that refuses
        }

        var statuses = new List<PermitStatus>(asked.Length);
        for (var i = 0; i < asked.Length; i++)
        {
            // A status without a limit is of a bucket that has never answered.
            if (!asked[i].IsShadow && taken[i].Status is { Limit: > 0 } status)
            {
                statuses.Add(status);
            }

            if (asked[i].CountsWhen is { } counts)
            {
                OutcomeCount.Watch(context, taken[i], counts);
            }
        }

        Show(context, CollectionsMarshal.AsSpan(statuses));
        return JointLease.Of(taken);
    }

    private BucketLease SpendAll(HttpContext context, ReadOnlySpan<BucketRateLimiter> limiters, ReadOnlySpan<bool> shown)
    {
        // Looks first: what is taken and given back again costs other requests more than a look.
        for (var i = 0; limiters.Length > 1 && i < limiters.Length; i++)
        {
            if (!limiters[i].CanSpend)
            {
                return UncountedLease.Unknown;
            }
        }

        var lots = default(Few<Lot>);
        var statuses = default(Few<PermitStatus>);
        var told = 0;
        Lot? any = null;
        for (var i = 0; i < limiters.Length; i++)
        {
            if (limiters[i].TrySpend() is not { } lot)
            {
                foreach (var spent in lots[..i])
                {
                    spent.GiveBack();
                }

                return UncountedLease.Unknown;
            }

            any = lots[i] = lot;
            if (shown[i])
            {
                statuses[told++] = lot.Status;
            }
        }

        Show(context, statuses[..told]);
        return any!; // nothing is to be disposed of in any of them
    }

    private void Show(HttpContext context, ReadOnlySpan<PermitStatus> statuses)
    {
        if (statuses.Length > 0 && !context.Response.HasStarted)
        {
            headers.Write(context.Response.Headers, statuses);
        }
    }

    private static bool NeedsUser(HttpContext context, PlannedLimit[] limits)
    {
        foreach (var limit in limits)
        {
            if (limit.Rules.NeedsUser && limit.CostOf(context.Request) > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The caller. The limiter runs before the authentication middleware, which reuses what is found out here.</summary>
    private static async ValueTask<ClaimsPrincipal?> UserOfAsync(HttpContext context) =>
        context.User.Identity is { IsAuthenticated: true } ? context.User : (await context.AuthenticateAsync()).Principal;

    private static Asked[] Ask(HttpContext context, PlannedLimit[] limits, ClaimsPrincipal? user, int permitCount)
    {
        var asked = new Asked[limits.Length];
        var count = 0;
        foreach (var limit in limits)
        {
            var rules = limit.Rules;
            var cost = limit.CostOf(context.Request);
            if (cost > 0 && !rules.Exempts(context, user))
            {
                var permits = rules.AtMostAll((long)cost * permitCount);
                asked[count++] = new(limit.Of(context, rules, user), permits, rules.IsShadow, limit.CountsWhenOf(context.Request));
            }
        }

        return count == asked.Length ? asked : asked[..count];
    }

    /// <summary>As many policies as the fast path holds without a heap; requests under more take the other one.</summary>
    [InlineArray(Length)]
    private struct Few<T>
    {
        public const int Length = 4;
        private T _first;
    }
}
