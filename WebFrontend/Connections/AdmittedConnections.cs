using System.Collections.Concurrent;

namespace Marketplace.WebFrontend.Connections;

/// <summary>The connections of this frontend; bounded by what the cluster lets it admit.</summary>
internal sealed class AdmittedConnections
{
    private readonly ConcurrentDictionary<Guid, AdmittedConnection> _byName = new();
    private readonly ConcurrentDictionary<string, AdmittedConnection> _byToken = new(StringComparer.Ordinal);

    /// <summary>The connection that a request belongs to, or null when it would be a new one.</summary>
    public AdmittedConnection? Find(HttpRequest request) => TokenOf(request) is { } token ? _byToken.GetValueOrDefault(token) : null;

    public AdmittedConnection? Find(Guid name) => _byName.GetValueOrDefault(name);

    /// <summary>Adds one that is about to take its slot: from then on it may be ordered to be closed.</summary>
    public void Add(AdmittedConnection connection) => _byName[connection.Name] = connection;

    /// <summary>It is admitted, and later requests may find it; false if another request has just made the same connection.</summary>
    public bool TryOpen(AdmittedConnection connection) => connection.Token is not { } token || _byToken.TryAdd(token, connection);

    /// <summary>It is over. Late polls still find it, until SignalR has forgotten it as well.</summary>
    public void Remove(AdmittedConnection connection)
    {
        _byName.TryRemove(connection.Name, out _);
        if (connection.Token is { } token)
        {
            connection.WhenForgotten(forgotten => _byToken.TryRemove(KeyValuePair.Create(token, forgotten))); // if it is this one
        }
    }

    public static string? TokenOf(HttpRequest request) => request.Query["id"] is [{ Length: > 0 } token] ? token : null;
}
