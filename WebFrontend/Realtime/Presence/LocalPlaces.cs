using Marketplace.Realtime.Presence;

namespace Marketplace.WebFrontend.Realtime.Presence;

/// <summary>
/// The places in which connections of this frontend are present, and what the places' grains know of it: each change is reported,
/// whole and one at a time, until it was acknowledged.
/// </summary>
internal sealed class LocalPlaces
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LocalPlace> _places = new(StringComparer.Ordinal);
    private long _version;

    /// <summary>Reports what a place's grain should know. Doesn't throw; called for each place once until it returns.</summary>
    public Func<LocalPlace, Task>? Report { get; set; }

    public void Enter(string key, LocalConnection connection, ToPresenceMessage toMessage)
    {
        lock (_lock)
        {
            if (connection.IsGone)
            {
                return;
            }

            if (!_places.TryGetValue(key, out var place))
            {
                _places[key] = place = new(key, toMessage);
            }

            if (place.Add(connection))
            {
                (connection.Places ??= new(StringComparer.Ordinal)).Add(key);
                Changed(place);
                if (place.Latest is { } latest)
                {
                    connection.Write(latest); // what it adds may change nothing that others are told: a user's second device in a crowd
                }
            }
        }
    }

    public void Leave(string key, LocalConnection connection)
    {
        lock (_lock)
        {
            if (_places.TryGetValue(key, out var place) && place.Remove(connection))
            {
                connection.Places!.Remove(key);
                Changed(place);
            }
        }
    }

    /// <summary>A connection that has gone is present nowhere. It was marked as gone before.</summary>
    public void LeaveAll(LocalConnection connection)
    {
        foreach (var key in Copy(connection))
        {
            Leave(key, connection);
        }
    }

    /// <summary>What is known here may be unknown to the grains: it is reported again.</summary>
    public void ReportAll()
    {
        lock (_lock)
        {
            foreach (var place in _places.Values)
            {
                Changed(place); // a version of its own: the answer to a report that is under way must not count for it
            }
        }
    }

    /// <summary>What is to be said of a place, or null when nobody here is there.</summary>
    public PresenceReport? ReportOf(string key)
    {
        lock (_lock)
        {
            return _places.GetValueOrDefault(key)?.ToReport();
        }
    }

    /// <summary>Notes that a report was acknowledged; true when there is nothing newer to say, and the reporting ends.</summary>
    public bool IsReported(LocalPlace place, long version)
    {
        lock (_lock)
        {
            place.Reported = Math.Max(place.Reported, version);
            if (place.Reported < place.Version)
            {
                return false;
            }

            place.IsReporting = false;
            if (place.IsEmpty)
            {
                _places.Remove(place.Key);
            }

            return true;
        }
    }

    /// <summary>Ends the reporting of a place for now.</summary>
    public void GiveUp(LocalPlace place)
    {
        lock (_lock)
        {
            place.IsReporting = false;
        }
    }

    /// <summary>Writes a place's new state to the connections there.</summary>
    public void Tell(string key, PresenceState state)
    {
        lock (_lock)
        {
            if (_places.GetValueOrDefault(key)?.Take(state) is { } news)
            {
                foreach (var connection in news.To)
                {
                    connection.Write(news.Message);
                }
            }
        }
    }

    private string[] Copy(LocalConnection connection)
    {
        lock (_lock)
        {
            return connection.Places is { } places ? [.. places] : [];
        }
    }

    private void Changed(LocalPlace place)
    {
        place.Version = ++_version;
        EnsureReporting(place);
    }

    private void EnsureReporting(LocalPlace place)
    {
        if (!place.IsReporting && place.Reported < place.Version && Report is { } report)
        {
            place.IsReporting = true;
            _ = Task.Run(() => report(place));
        }
    }
}
