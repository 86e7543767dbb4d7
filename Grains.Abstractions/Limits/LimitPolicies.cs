using System.Collections.Frozen;
using Microsoft.Extensions.Options;

namespace Marketplace.Limits;

/// <summary>The configured policies, and in their place those that an operator has changed.</summary>
public sealed class LimitPolicies(IOptions<LimitsOptions> configured) : ILimitPolicies
{
    private readonly FrozenDictionary<string, FollowedPolicy> _followed = configured.Value.Policies.ToFrozenDictionary(
        policy => policy.Key, policy => new FollowedPolicy(new(Version: 0, policy.Value)), StringComparer.Ordinal);

    private readonly TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private volatile ChangedPolicies _changed = ChangedPolicies.None;

    /// <summary>Of the newest changes that this process has heard of; -1 before it has heard anything.</summary>
    public long Revision => _changed.Revision;

    /// <summary>Completes when this process has heard what operators have changed, be it nothing.</summary>
    public Task Heard => _heard.Task;

    public VersionedPolicy? Find(string name) => Follow(name)?.Current;

    public FollowedPolicy? Follow(string name) => _followed.GetValueOrDefault(name);

    /// <summary>Puts what operators have changed in place; names that are not configured are left out.</summary>
    /// <returns>What this process had before; null when that is as new or newer, and nothing was done.</returns>
    public ChangedPolicies? Replace(ChangedPolicies changed)
    {
        lock (_gate)
        {
            var before = _changed;
            if (changed.Revision <= before.Revision)
            {
                return null;
            }

            foreach (var (name, policy) in changed.Policies)
            {
                if (Follow(name) is { } followed && followed.Current.Version != policy.Version)
                {
                    followed.Current = new(policy.Version, policy.Options ?? configured.Value.Policies[name]);
                }
            }

            _changed = changed;
            _heard.TrySetResult();
            return before;
        }
    }
}
