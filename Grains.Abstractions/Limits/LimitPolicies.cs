using System.Collections.Immutable;
using Microsoft.Extensions.Options;

namespace Marketplace.Limits;

/// <summary>The configured policies, and in their place those that an operator has changed.</summary>
public sealed class LimitPolicies(IOptionsMonitor<LimitsOptions> configured) : ILimitPolicies
{
    private volatile ImmutableDictionary<string, VersionedPolicy> _changed = ImmutableDictionary<string, VersionedPolicy>.Empty;
    private volatile ImmutableDictionary<string, VersionedPolicy> _configured = ImmutableDictionary<string, VersionedPolicy>.Empty;

    public VersionedPolicy? Find(string name)
    {
        if (_changed.TryGetValue(name, out var changed))
        {
            return changed;
        }

        if (!configured.CurrentValue.Policies.TryGetValue(name, out var options))
        {
            return null;
        }

        if (!_configured.TryGetValue(name, out var known) || known.Options != options)
        {
            known = new(Version: 0, options);
            _configured = _configured.SetItem(name, known);
        }

        return known;
    }

    /// <summary>Puts what operators have changed in place, all at once.</summary>
    public void Replace(ImmutableDictionary<string, VersionedPolicy> changed) => _changed = changed;
}
