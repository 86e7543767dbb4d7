using Marketplace.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.Presence;

/// <summary>Makes what clients are told of a place out of its state.</summary>
internal delegate SerializedHubMessage ToPresenceMessage(string key, PresenceState state);

/// <summary>The connections of this frontend in one place; under the lock of <see cref="LocalPlaces"/>.</summary>
internal sealed class LocalPlace(string key, ToPresenceMessage toMessage)
{
    private readonly Dictionary<string, LocalConnection> _connections = new(StringComparer.Ordinal);
    private PresenceState? _state;

    public string Key => key;

    /// <summary>Of the last change here; what was reported with it or later needs no report.</summary>
    public long Version { get; set; }

    /// <summary>The version that the place's grain has acknowledged.</summary>
    public long Reported { get; set; }

    public bool IsReporting { get; set; }

    public bool IsEmpty => _connections.Count == 0;

    /// <summary>What connections here were told last; null if nothing was.</summary>
    public SerializedHubMessage? Latest { get; private set; }

    public bool Add(LocalConnection connection) => _connections.TryAdd(connection.Id, connection);

    public bool Remove(LocalConnection connection) => _connections.Remove(connection.Id);

    public PresenceReport ToReport()
    {
        var users = _connections.Values.GroupBy(connection => connection.Context.UserIdentifier ?? "", StringComparer.Ordinal).ToList();
        return new(Version, users.Count, [.. users
            .OrderBy(user => user.Key, StringComparer.Ordinal)
            .Take(PresenceReport.UsersMax)
            .Select(user => new PresentUser(user.Key, user.Count()))]);
    }

    /// <summary>Takes a state in if it is newer than the last; then it is to be written to the connections returned.</summary>
    public (IReadOnlyList<LocalConnection> To, SerializedHubMessage Message)? Take(PresenceState state)
    {
        if (_state is { } last && (state.Epoch, state.Version).CompareTo((last.Epoch, last.Version)) <= 0)
        {
            return null;
        }

        (_state, Latest) = (state, toMessage(key, state));
        return ([.. _connections.Values], Latest);
    }
}
