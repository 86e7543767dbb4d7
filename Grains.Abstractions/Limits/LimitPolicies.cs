using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Options;

namespace Marketplace.Limits;

/// <summary>The configured policies, and in their place those that an operator has changed.</summary>
public sealed class LimitPolicies(IOptions<LimitsOptions> configured) : ILimitPolicies
{
    private readonly ConcurrentDictionary<string, FollowedPolicy> _followed = new(
        configured.Value.Policies.Select(policy =>
            KeyValuePair.Create(policy.Key, new FollowedPolicy(new(Version: 0, policy.Value)))),
        StringComparer.Ordinal);

    public VersionedPolicy? Find(string name) => Follow(name)?.Current;

    public FollowedPolicy? Follow(string name) => _followed.GetValueOrDefault(name);

    /// <summary>Puts what operators have changed in place; names that are not configured are left out.</summary>
    public void Replace(ImmutableDictionary<string, VersionedPolicy> changed)
    {
        foreach (var (name, policy) in changed)
        {
            if (Follow(name) is { } followed)
            {
                followed.Current = policy;
            }
        }
    }
}
