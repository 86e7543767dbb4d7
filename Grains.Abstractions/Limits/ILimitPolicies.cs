namespace Marketplace.Limits;

/// <summary>The policies as they are now in this process.</summary>
public interface ILimitPolicies
{
    /// <summary>The policy of that name, or null if there is none.</summary>
    VersionedPolicy? Find(string name);
}

/// <summary>A policy and how often it has been changed.</summary>
/// <param name="Version">0 as configured; grows by one with every change that an operator makes.</param>
/// <param name="Options">The policy; not to be changed.</param>
[GenerateSerializer, Immutable, Alias("limits.versioned-policy")]
public sealed record VersionedPolicy([property: Id(0)] int Version, [property: Id(1)] LimitPolicyOptions Options);
