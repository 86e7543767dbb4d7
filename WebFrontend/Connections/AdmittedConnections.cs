using System.Collections.Concurrent;

namespace Marketplace.WebFrontend.Connections;

/// <summary>The connections of this frontend; bounded by what the cluster lets it admit.</summary>
internal sealed class AdmittedConnections(TimeProvider clock)
{
    /// <summary>Longer than a client that was told nothing takes to poll again.</summary>
    private static readonly TimeSpan RemembersFor = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, AdmittedConnection> _byName = new();
    private readonly ConcurrentDictionary<string, AdmittedConnection> _byToken = new(StringComparer.Ordinal);

    // The tokens of those that are over, and nothing else of them; bounded by what comes and goes in a minute.
    private readonly ConcurrentDictionary<string, byte> _overTokens = new(StringComparer.Ordinal);
    private readonly Queue<(string Token, long At)> _overInOrder = new();
    private readonly Lock _overLock = new();

    /// <summary>The connection that a request belongs to, or null when it would be a new one.</summary>
    public AdmittedConnection? Find(HttpRequest request) => TokenOf(request) is { } token ? _byToken.GetValueOrDefault(token) : null;

    /// <summary>
    /// Whether a request belongs to a connection that was here and is over: it mustn't take the place of one that isn't.
    /// </summary>
    public bool IsOver(HttpRequest request) => TokenOf(request) is { } token && _overTokens.ContainsKey(token);

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
            if (connection.HasRun && _byToken.GetValueOrDefault(token) == connection)
            {
                Remember(token); // of any other SignalR knows nothing either, and clients could invent any number
            }

            connection.WhenForgotten(forgotten => _byToken.TryRemove(KeyValuePair.Create(token, forgotten))); // if it is this one
        }
    }

    public static string? TokenOf(HttpRequest request) => request.Query["id"] is [{ Length: > 0 } token] ? token : null;

    private void Remember(string token)
    {
        lock (_overLock)
        {
            _overTokens[token] = 0;
            _overInOrder.Enqueue((token, clock.GetTimestamp()));
            while (_overInOrder.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > RemembersFor)
            {
                _overTokens.TryRemove(oldest.Token, out _);
                _overInOrder.Dequeue();
            }
        }
    }
}
