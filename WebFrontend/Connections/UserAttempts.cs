using System.Collections.Concurrent;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// How much of each user is under way at this frontend: connections that aren't admitted yet, and slots that can't be given back
/// at the moment. Each of the first holds one of the cluster's total, and each of the second calls again and again; so that no
/// user takes the room of others, nothing new is begun for one who has too much of either.
/// </summary>
internal sealed class UserAttempts
{
    /// <summary>Many times what a client that reconnects all its tabs has under way.</summary>
    public const int Max = 32;

    private readonly ConcurrentDictionary<string, int> _counts = new(StringComparer.Ordinal);

    /// <summary>False when too much is under way; else <see cref="End"/> must follow.</summary>
    public bool TryBegin(string user)
    {
        if (_counts.AddOrUpdate(user, 1, static (_, count) => count + 1) <= Max)
        {
            return true;
        }

        End(user);
        return false;
    }

    /// <summary>Something that must be done, however much is under way; <see cref="End"/> must follow.</summary>
    public void Begin(string user) => _counts.AddOrUpdate(user, 1, static (_, count) => count + 1);

    public void End(string user)
    {
        while (_counts.TryGetValue(user, out var count)
            && !(count > 1 ? _counts.TryUpdate(user, count - 1, count) : _counts.TryRemove(KeyValuePair.Create(user, count))))
        {
            // somebody else was first
        }
    }
}
