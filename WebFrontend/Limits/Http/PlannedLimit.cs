using System.Collections.Immutable;
using System.Security.Claims;
using Marketplace.WebFrontend.Limits.Leases;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>One policy, for the requests of one endpoint.</summary>
internal sealed class PlannedLimit(PartitionTable table, string route, int ipv6PrefixLength)
{
    private const int TextOnStack = 128;

    private PolicyRules _rules = new(table.Context.Current, ipv6PrefixLength);

    /// <summary>What each request of the endpoint costs; 0 when the policy applies by path only.</summary>
    public int Cost { get; init; }

    /// <summary>What requests cost by their path; of all that apply the highest counts, once.</summary>
    public ImmutableArray<PathRule> Paths { get; init; } = [];

    /// <summary>Whether the permits stay taken, by the outcome; null if always.</summary>
    public Func<HttpContext, bool>? CountsWhen { get; init; }

    public string Policy => table.Context.Policy;

    /// <summary>The policy as it is now: compiled again after each change.</summary>
    public PolicyRules Rules
    {
        get
        {
            var rules = Volatile.Read(ref _rules);
            if (ReferenceEquals(rules.Source, table.Context.Current))
            {
                return rules;
            }

            rules = new(table.Context.Current, ipv6PrefixLength);
            Volatile.Write(ref _rules, rules);
            return rules;
        }
    }

    /// <summary>Whether some partition of the policy may be known to refuse.</summary>
    public bool MayRefuse => table.Context.MayRefuse;

    /// <summary>Permits that a request takes; 0 when the policy doesn't apply to it.</summary>
    public int CostOf(HttpRequest request)
    {
        var cost = Cost;
        foreach (var path in Paths)
        {
            if (path.Cost > cost && path.Matches(request))
            {
                cost = path.Cost;
            }
        }

        return cost;
    }

    /// <summary><see cref="CountsWhen"/>, unless a path's rule applies besides, which knows no condition.</summary>
    public Func<HttpContext, bool>? CountsWhenOf(HttpRequest request) =>
        CountsWhen is not null && Paths.Any(path => path.Matches(request)) ? null : CountsWhen;

    /// <summary>The request's partition if it is kept; allocates nothing but for very long keys.</summary>
    public BucketRateLimiter? Find(HttpContext context, PolicyRules rules)
    {
        var length = LengthMax(rules);
        var text = length <= TextOnStack ? stackalloc char[TextOnStack] : new char[length];
        return table.Find(text[..rules.Key.Format(context, user: null, route, text)]);
    }

    /// <summary>The request's partition.</summary>
    public BucketRateLimiter Of(HttpContext context, PolicyRules rules, ClaimsPrincipal? user)
    {
        var length = LengthMax(rules);
        var text = length <= TextOnStack ? stackalloc char[TextOnStack] : new char[length];
        return table.Of(text[..rules.Key.Format(context, user, route, text)]);
    }

    /// <summary>A partition that is named otherwise than by the policy's key.</summary>
    public BucketRateLimiter Of(string partition) => table.Of(partition);

    private int LengthMax(PolicyRules rules) => rules.Key.LengthMax + (rules.Key.Routes * route.Length);
}
