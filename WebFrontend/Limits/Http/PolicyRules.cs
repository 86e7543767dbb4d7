using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Security.Claims;
using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>One version of a policy, compiled for requests: who is counted and who is exempt.</summary>
internal sealed class PolicyRules
{
    private readonly ImmutableArray<AddressRange> _addresses;
    private readonly FrozenSet<string> _users;
    private readonly ImmutableArray<string> _roles;
    private readonly ImmutableArray<PathString> _paths;

    public PolicyRules(VersionedPolicy source, int ipv6PrefixLength)
    {
        Source = source;
        var policy = source.Options;
        Key = new(policy.Key, ipv6PrefixLength);
        _addresses = [.. policy.ExemptAddresses.Select(AddressRange.Parse)];
        _users = policy.ExemptUsers.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _roles = [.. policy.ExemptRoles];
        _paths = [.. policy.ExemptPaths.Select(PathRule.PrefixOf)];
        NeedsUser = Key.NeedsUser || _users.Count > 0 || _roles.Length > 0;
    }

    /// <summary>What this was compiled from.</summary>
    public VersionedPolicy Source { get; }

    public PartitionKey Key { get; }

    /// <summary>Whether it matters who the caller is, beyond the address.</summary>
    public bool NeedsUser { get; }

    public bool IsShadow => Source.Options.Shadow;

    public bool IsConcurrency => Source.Options.Algorithm == LimitAlgorithm.Concurrency;

    /// <summary>Permits to ask for: who costs more than an operator has left of the limit costs all of it, and isn't refused for ever.</summary>
    public int AtMostAll(long permits) => (int)Math.Min(permits, Source.Options.Limit);

    /// <summary>Whether the policy doesn't limit a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="user">The caller; null if nobody, or if that doesn't matter.</param>
    public bool Exempts(HttpContext context, ClaimsPrincipal? user)
    {
        foreach (var path in _paths)
        {
            if (context.Request.Path.StartsWithSegments(path))
            {
                return true;
            }
        }

        if (_addresses.Length > 0 && context.Connection.RemoteIpAddress is { } address)
        {
            var bits = ClientAddress.BitsOf(address);
            foreach (var range in _addresses)
            {
                if (range.Contains(bits))
                {
                    return true;
                }
            }
        }

        return user?.Identity is { IsAuthenticated: true, Name: var name }
            && ((name is not null && _users.Contains(name)) || _roles.Any(user.IsInRole));
    }
}
