using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Limits;

/// <summary>
/// The section <c>Limits</c>, the same on silos and frontends. Where they differ, the silo decides what is admitted: every
/// grant says the limit and the window that it was made under.
/// </summary>
public sealed class LimitsOptions : IValidatableObject
{
    public const string Section = "Limits";

    /// <summary>200 requests / 15 min / address over everything under <c>/api</c>.</summary>
    public const string General = "general";

    /// <summary>No request can cost more: the most that a limit can be.</summary>
    public const int MaxPermitsPerRequest = 1_000_000_000;

    [Description("Whether requests are limited at all; off only for measurements.")]
    public bool Enabled { get; set; } = true;

    [Description("Whether /api/health counts too.")]
    public bool LimitHealth { get; set; }

    [Description("IPv6 addresses that share this many leading bits are one client.")]
    [Range(16, 128)]
    public int IPv6PrefixLength { get; set; } = 64;

    [Description("How long a request waits for its bucket before it is answered with 503.")]
    [Range(typeof(TimeSpan), "00:00:00.1", "00:00:20")]
    public TimeSpan Deadline { get; set; } = TimeSpan.FromSeconds(2);

    [Description("The longest that a request waits in a policy's queue; if permits won't be there by then it is refused at once.")]
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan QueueTime { get; set; } = TimeSpan.FromSeconds(10);

    [Description("Partitions (addresses times policies) that one frontend keeps at once; past it new ones ask their bucket for every request.")]
    [Range(1_000, 10_000_000)]
    public int MaxPartitions { get; set; } = 200_000;

    [Description("Whether responses carry X-RateLimit-Limit, -Remaining and -Reset besides, as express-rate-limit sent them.")]
    public bool LegacyHeaders { get; set; }

    [Description("Calls that one connection to a hub may make a second, and at once; 0 is no limit.")]
    [Range(0, 100_000)]
    public int HubCallsPerSecond { get; set; } = 20;

    [Description("Policies for paths, beside what endpoints declare: Limits:Paths:<n>:Path, :Policy, :Cost and :Methods:<n>.")]
    public IList<LimitedPathOptions> Paths { get; } = [];

    /// <summary>Policies by name; those that features add may be overridden one value at a time.</summary>
    public Dictionary<string, LimitPolicyOptions> Policies { get; } = new(StringComparer.Ordinal)
    {
        // The site outlives its limiter; what guards accounts denies.
        [General] = new() { Limit = 200, Window = TimeSpan.FromMinutes(15), Trouble = TroubleMode.LocalShare },
    };

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var name in Policies.Keys.Where(name => !IsPolicyName(name)))
        {
            yield return new($"Policies holds '{name}'; a policy's name is 1 to 64 of a-z, 0-9 and '-'.");
        }

        foreach (var path in Paths.Where(path => path.Policy.Length > 0 && !Policies.ContainsKey(path.Policy)))
        {
            yield return new($"Paths holds '{path.Path}' with the policy '{path.Policy}', which is not in Limits:Policies.");
        }

        foreach (var path in Paths.Where(path => Policies.TryGetValue(path.Policy, out var policy) && path.Cost > policy.Limit))
        {
            yield return new($"Paths holds '{path.Path}' with a cost of {path.Cost}, more than the limit of '{path.Policy}' ever allows.");
        }
    }

    private static bool IsPolicyName(string name) =>
        name.Length is > 0 and <= 64 && name.All(c => c is '-' or (>= 'a' and <= 'z') or (>= '0' and <= '9'));
}
