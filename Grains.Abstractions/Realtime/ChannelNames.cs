namespace Marketplace.Realtime;

/// <summary>The keys of <see cref="IChannelGrain"/>: the hub, the kind and, last since it may hold anything, the name.</summary>
/// <param name="Hub">The hub's name, the same on all frontends.</param>
public sealed record ChannelNames(string Hub)
{
    /// <summary>All connections of the hub.</summary>
    public string All => $"{Hub}/all";

    /// <summary>The connections in a group.</summary>
    public string Group(string name) => $"{Hub}/group/{name}";

    /// <summary>The connections of a user.</summary>
    public string User(string id) => $"{Hub}/user/{id}";

    /// <summary>One process, for answers to what it asked of others.</summary>
    public string Process(Guid id) => $"{Hub}/process/{id:N}";
}
