using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.Presence;

/// <summary>
/// Who is present in the places of a hub, such as rooms. Connections that are present in a place are told of every change by the
/// client's method <c>Presence</c>, with a <see cref="PlacePresence"/>: the whole state each time, the latest one at least.
/// </summary>
public interface IHubPresence<THub> where THub : Hub
{
    /// <summary>Makes a connection of this frontend present in a place; it ends with the connection.</summary>
    void Enter(string connectionId, string place);

    /// <summary>Ends that. A connection that isn't present is no error.</summary>
    void Leave(string connectionId, string place);

    /// <summary>Who is present in a place, on all frontends.</summary>
    Task<PlacePresence> GetAsync(string place);
}

/// <summary>Who is present.</summary>
/// <param name="Place">Where.</param>
/// <param name="Count">How many users.</param>
/// <param name="Users">The first 200 of them, in the order of their ids.</param>
public sealed record PlacePresence(string Place, int Count, IReadOnlyList<PlaceUser> Users);

/// <param name="User">The user's id.</param>
/// <param name="Devices">Connections by which the user is present.</param>
public sealed record PlaceUser(string User, int Devices);
