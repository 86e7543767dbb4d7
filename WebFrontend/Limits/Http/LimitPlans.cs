using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// Which policies apply to a request: <c>general</c> under <c>/api</c>, then what its endpoint declares, then what the configuration
/// puts on its path. Worked out once for each endpoint, and once for all requests that have none.
/// </summary>
internal sealed class LimitPlans(Partitions partitions, IOptions<LimitsOptions> options)
{
    private static readonly PathString Api = new("/api");
    private static readonly PathString Health = new("/api/health");

    private readonly ConditionalWeakTable<Endpoint, PlannedLimit[]> _plans = [];
    private readonly ConcurrentDictionary<string, PlannedLimit> _byName = new(StringComparer.Ordinal);
    private PlannedLimit[]? _withoutEndpoint;

    public PlannedLimit[] Of(Endpoint? endpoint) =>
        endpoint is null ? _withoutEndpoint ??= Build(null)
        : _plans.TryGetValue(endpoint, out var plan) ? plan
        : _plans.GetValue(endpoint, Build);

    /// <summary>A policy that code asks for by name, or null when requests aren't limited at all.</summary>
    public PlannedLimit? Find(string policy) => !options.Value.Enabled ? null
        : _byName.TryGetValue(policy, out var limit) ? limit
        : _byName.GetOrAdd(policy, name => Plan(name, PartitionKey.RouteOf(null), [new(name, 1, null)], []));

    private PlannedLimit[] Build(Endpoint? endpoint)
    {
        if (!options.Value.Enabled || endpoint?.Metadata.GetMetadata<DisableRateLimitingAttribute>() is not null)
        {
            return [];
        }

        var declared = endpoint?.Metadata.Select(Declaration).OfType<LimitMetadata>().ToLookup(limit => limit.Policy);
        var paths = PathRules().ToLookup(path => path.Policy, path => path.Rule);
        var route = PartitionKey.RouteOf(endpoint);
        return
        [
            .. new[] { LimitsOptions.General }.Concat(declared?.Select(limit => limit.Key) ?? []).Concat(paths.Select(path => path.Key))
                .Distinct().Select(policy => Plan(policy, route, [.. declared?[policy] ?? []], [.. paths[policy]])),
        ];
    }

    private PlannedLimit Plan(string policy, string route, LimitMetadata[] declared, PathRule[] paths) =>
        new(partitions.Of(policy), route, options.Value.IPv6PrefixLength)
        {
            Cost = declared.Max(limit => (int?)limit.Cost) ?? 0,
            Paths = [.. paths],

            // Declared twice, with and without a condition, it counts always.
            CountsWhen = declared.All(limit => limit.CountsWhen is not null)
                ? declared.Select(limit => limit.CountsWhen).Aggregate((Func<HttpContext, bool>?)null, Either)
                : null,
        };

    private IEnumerable<(string Policy, PathRule Rule)> PathRules() =>
        options.Value.Paths.Select(path => (path.Policy, PathRule.Of(path)))
            .Prepend((LimitsOptions.General, new(Api, options.Value.LimitHealth ? default(PathString?) : Health, [], Cost: 1)));

    private static LimitMetadata? Declaration(object metadata) => metadata switch
    {
        LimitMetadata limit => limit,
        EnableRateLimitingAttribute { PolicyName: { } policy } => new(policy, 1, null),
        _ => null,
    };

    private static Func<HttpContext, bool>? Either(Func<HttpContext, bool>? one, Func<HttpContext, bool>? other) =>
        one is null ? other : other is null ? one : context => one(context) || other(context);
}
