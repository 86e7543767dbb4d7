using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Marketplace.Users;

namespace Marketplace.Connections;

/// <summary>What happens to a connection of a user who has as many as one may have.</summary>
public enum WhenFull
{
    /// <summary>It is refused with 429.</summary>
    Refuse,

    /// <summary>The user's oldest connection is closed, and the new one admitted once that is gone.</summary>
    ReplaceOldest,
}

/// <summary>
/// How many live connections there may be: the section <c>Connections</c> of a silo, and what an operator puts in its place.
/// </summary>
[GenerateSerializer, Alias("connections.caps")]
public sealed class ConnectionCaps : IValidatableObject
{
    public const string Section = "Connections";

    private const int PerUserMax = 1_000;
    private static readonly string[] Roles = [UserRoles.Candidate, UserRoles.Interviewer, UserRoles.Operator];

    [Id(0)]
    [Description("Live connections one user may have in the whole cluster.")]
    [Range(1, PerUserMax)]
    public int PerUser { get; set; } = 5;

    [Id(1)]
    [Description("The same for users with a role (candidate, interviewer, operator); of several roles the highest counts, and PerUser for a role that isn't named.")]
    public Dictionary<string, int> PerUserByRole { get; set; } = [];

    [Id(2)]
    [Description("Live connections the whole cluster may have.")]
    [Range(1, 10_000_000)]
    public int Total { get; set; } = 10_000;

    [Id(3)]
    [Description("What happens to a connection of a user who has PerUser already: Refuse it, or ReplaceOldest.")]
    [EnumDataType(typeof(WhenFull))]
    public WhenFull WhenFull { get; set; }

    /// <summary>How many connections a user with these roles may have.</summary>
    public int Of(IReadOnlyList<string> roles) =>
        roles.Count == 0 ? PerUser : roles.Max(role => PerUserByRole.TryGetValue(role, out var cap) ? cap : PerUser);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (role, cap) in PerUserByRole)
        {
            if (!Roles.Contains(role, StringComparer.Ordinal))
            {
                yield return new($"there is no role '{role}'; it must be one of {string.Join(", ", Roles)}.", [nameof(PerUserByRole)]);
            }

            if (cap is < 1 or > PerUserMax)
            {
                yield return new($"'{role}' has {cap}; it must be from 1 to {PerUserMax}.", [nameof(PerUserByRole)]);
            }
        }
    }
}
