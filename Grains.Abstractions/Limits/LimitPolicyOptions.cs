using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Limits;

/// <summary>How requests are counted.</summary>
public enum LimitAlgorithm
{
    /// <summary>A window that starts with its first request, as express-rate-limit counts.</summary>
    FixedWindow,

    /// <summary>Never more than the limit in any interval as long as the window.</summary>
    SlidingWindow,

    /// <summary>As many at once as the limit, and then as they come back: so many a window.</summary>
    TokenBucket,

    /// <summary>As many at the same time as the limit; each comes back when its request ends.</summary>
    Concurrency,
}

/// <summary>What happens to a request whose bucket can't be reached in time.</summary>
public enum TroubleMode
{
    /// <summary>It is refused with 503.</summary>
    Deny,

    /// <summary>It is admitted, uncounted.</summary>
    Allow,

    /// <summary>Every frontend admits its share of the limit: limit / frontends a window.</summary>
    LocalShare,
}

/// <summary>One policy: in configuration under <c>Limits:Policies:&lt;name&gt;</c>, and what an operator puts in its place.</summary>
[GenerateSerializer, Alias("limits.policy")]
public sealed class LimitPolicyOptions : IValidatableObject
{
    [Id(0)]
    [Description("FixedWindow, SlidingWindow, TokenBucket or Concurrency.")]
    [EnumDataType(typeof(LimitAlgorithm))]
    public LimitAlgorithm Algorithm { get; set; }

    [Id(1)]
    [Description("Permits in one window; the token bucket's capacity; requests at the same time.")]
    [Range(1, 1_000_000_000)]
    public int Limit { get; set; } = 200;

    [Id(2)]
    [Description("Length of the window; for a token bucket, the time in which Refill tokens come back. Concurrency has none.")]
    [Range(typeof(TimeSpan), "00:00:00.1", "366.00:00:00")]
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(15);

    [Id(3)]
    [Description("Parts of a sliding window that are counted apart: a permit is free again at most 1.5 parts after the window.")]
    [Range(2, 100)]
    public int Segments { get; set; } = 20;

    [Id(4)]
    [Description("Tokens that come back in a window; 0 means as many as the limit.")]
    [Range(0, 1_000_000_000)]
    public int Refill { get; set; }

    [Id(5)]
    [Description("What happens when the bucket can't be reached in time: Deny (503), Allow or LocalShare (limit / frontends).")]
    [EnumDataType(typeof(TroubleMode))]
    public TroubleMode Trouble { get; set; }

    [Id(6)]
    [Description("Counts and meters as if it were live, and refuses nobody.")]
    public bool Shadow { get; set; }

    [Id(7)]
    [Description("Permits that refused requests may wait for, in all, on one frontend; 0 refuses at once.")]
    [Range(0, 100_000)]
    public int QueueLimit { get; set; }

    [Id(8)]
    [Description("Who is counted: address, user, route, api-key, header:<name>; several joined by +, as in user+route.")]
    [Required, RegularExpression(KeyPattern, ErrorMessage = "Key must be address, user, route, api-key or header:<name>, several joined by '+'")]
    public string Key { get; set; } = "address";

    [Id(9)]
    [Description("Addresses and CIDR ranges that this policy doesn't limit.")]
    public IList<string> ExemptAddresses { get; set; } = [];

    [Id(10)]
    [Description("User ids that it doesn't limit.")]
    public IList<string> ExemptUsers { get; set; } = [];

    [Id(11)]
    [Description("Roles that it doesn't limit.")]
    public IList<string> ExemptRoles { get; set; } = [];

    [Id(12)]
    [Description("Paths that it doesn't limit, with all below them.")]
    public IList<string> ExemptPaths { get; set; } = [];

    private const int ExemptionsMax = 1_000;
    private const int ExemptionLengthMax = 256;
    private const string KeyPattern = @"^(address|user|route|api-key|header:[A-Za-z0-9-]{1,64})(\+(address|user|route|api-key|header:[A-Za-z0-9-]{1,64}))*$";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var address in ExemptAddresses.Where(address => !IsAddressOrRange(address)))
        {
            yield return new($"ExemptAddresses holds '{address}'; it must be an address such as 10.0.0.7 or a range such as 10.0.0.0/8.", [nameof(ExemptAddresses)]);
        }

        foreach (var path in ExemptPaths.Where(path => !path.StartsWith('/')))
        {
            yield return new($"ExemptPaths holds '{path}'; a path starts with '/'.", [nameof(ExemptPaths)]);
        }

        foreach (var (name, exempt) in new[]
        {
            (nameof(ExemptAddresses), ExemptAddresses), (nameof(ExemptUsers), ExemptUsers),
            (nameof(ExemptRoles), ExemptRoles), (nameof(ExemptPaths), ExemptPaths),
        })
        {
            if (exempt.Count > ExemptionsMax)
            {
                yield return new($"{name} holds {exempt.Count} texts; there may be {ExemptionsMax}.", [name]);
            }

            // PostgreSQL, which keeps a change, refuses NUL.
            if (exempt.Any(text => text.Length > ExemptionLengthMax || text.Any(char.IsControl)))
            {
                yield return new($"{name} holds a text that is no good; it must have at most {ExemptionLengthMax} characters, none of them a control character.", [name]);
            }
        }
    }

    private static bool IsAddressOrRange(string text) =>
        System.Net.IPNetwork.TryParse(text, out _) || System.Net.IPAddress.TryParse(text, out _);
}
