namespace Marketplace.Realtime;

/// <summary>The keys of channels: the hub, the kind and, last since it may hold anything, the name.</summary>
/// <param name="Hub">The hub's name, the same on all frontends.</param>
public sealed record ChannelNames(string Hub)
{
    /// <summary>All connections of the hub.</summary>
    public string All => $"{Hub}/all";

    /// <summary>The connections in a group.</summary>
    public string Group(string name) => $"{Hub}/group/{name}";

    /// <summary>The connections of a user.</summary>
    public string User(string id) => $"{Hub}/user/{id}";

    /// <summary>A channel that keeps what it carries, see <see cref="History.IHistoryGrain"/>.</summary>
    public string History(string name) => $"{Hub}/history/{name}";

    /// <summary>The name that <see cref="History"/> was given.</summary>
    public string HistoryOf(string key) => key[History("").Length..];

    /// <summary>A place in which users are present, see <see cref="Realtime.Presence.IPresenceGrain"/>.</summary>
    public string Presence(string place) => $"{Hub}/presence/{place}";

    /// <summary>The place that <see cref="Presence"/> was given.</summary>
    public string PlaceOf(string key) => key[Presence("").Length..];

    /// <summary>One process, for answers to what it asked of others.</summary>
    public string Process(Guid id) => $"{Hub}/process/{id:N}";
}
