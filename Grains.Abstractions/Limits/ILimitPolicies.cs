namespace Marketplace.Limits;

/// <summary>The policies as they are now in this process.</summary>
public interface ILimitPolicies
{
    /// <summary>The policy of that name, or null if there is none.</summary>
    VersionedPolicy? Find(string name);

    /// <summary>Follows a policy for as long as the process lives, or null if there is none of that name.</summary>
    FollowedPolicy? Follow(string name);
}

/// <summary>A policy and how often it has been changed.</summary>
/// <param name="Version">0 as configured; grows by one with every change that an operator makes.</param>
/// <param name="Options">The policy; not to be changed.</param>
[GenerateSerializer, Immutable, Alias("limits.versioned-policy")]
public sealed record VersionedPolicy([property: Id(0)] int Version, [property: Id(1)] LimitPolicyOptions Options);

/// <summary>A policy as it is at any moment, at the cost of reading a field.</summary>
public sealed class FollowedPolicy(VersionedPolicy current)
{
    private volatile VersionedPolicy _current = current;

    public VersionedPolicy Current
    {
        get => _current;
        internal set => _current = value;
    }
}
