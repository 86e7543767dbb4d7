using Marketplace.Realtime.Presence;

namespace Marketplace.Grains.Realtime.Presence;

/// <summary>What frontends last reported of one place: a value with no I/O.</summary>
internal sealed class PresenceTable
{
    private readonly Dictionary<long, PresenceReport> _reports = [];

    public IReadOnlyCollection<long> Frontends => _reports.Keys;

    /// <summary>Whether a report comes after what is known of a frontend; an older one, or a repetition, counts for nothing.</summary>
    public bool IsNew(long frontend, PresenceReport report) =>
        _reports.GetValueOrDefault(frontend) is not { } known || known.Version < report.Version;

    /// <summary>Takes a report in; false when it changes nothing.</summary>
    public bool Report(long frontend, PresenceReport report)
    {
        if (!IsNew(frontend, report))
        {
            return false;
        }

        var known = _reports.GetValueOrDefault(frontend);
        // An empty one stays until the lease ends, so that an older one that comes late is known as such.
        _reports[frontend] = report;
        return (known?.Count ?? 0) != report.Count || !(known?.Users ?? []).SequenceEqual(report.Users);
    }

    /// <summary>Forgets frontends whose leases have ended; true when somebody was present by them.</summary>
    public bool Prune(Func<long, bool> isAlive)
    {
        var ended = _reports.Where(report => !isAlive(report.Key)).ToList();
        ended.ForEach(report => _reports.Remove(report.Key));
        return ended.Exists(report => report.Value.Count > 0);
    }

    /// <summary>Users and their devices over all frontends.</summary>
    public (int Count, IReadOnlyList<PresentUser> Users) Sum()
    {
        var devices = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var unnamed = 0;
        foreach (var report in _reports.Values)
        {
            unnamed += report.Count - report.Users.Count;
            foreach (var user in report.Users)
            {
                devices[user.User] = devices.GetValueOrDefault(user.User) + user.Devices;
            }
        }

        var users = devices.Take(PresenceReport.UsersMax).Select(user => new PresentUser(user.Key, user.Value)).ToArray();
        return (devices.Count + unnamed, users);
    }
}
