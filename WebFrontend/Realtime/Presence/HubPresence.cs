using Marketplace.Realtime;
using Marketplace.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime.Presence;

internal sealed class HubPresence<THub>(HubLifetimeManager<THub> hub, LocalPlaces places, IGrainFactory grains)
    : IHubPresence<THub> where THub : Hub
{
    private const string ClientMethod = "Presence";

    private readonly ChannelNames _names = new(typeof(THub).FullName!);
    private readonly OrleansHubLifetimeManager<THub> _hub = (OrleansHubLifetimeManager<THub>)hub;

    public void Enter(string connectionId, string place)
    {
        if (_hub.Find(connectionId) is { } connection)
        {
            places.Enter(_names.Presence(place), connection, ToMessage);
        }
    }

    public void Leave(string connectionId, string place)
    {
        if (_hub.Find(connectionId) is { } connection)
        {
            places.Leave(_names.Presence(place), connection);
        }
    }

    public async Task<PlacePresence> GetAsync(string place) =>
        ToPresence(place, await grains.GetGrain<IPresenceGrain>(_names.Presence(place)).Get());

    private SerializedHubMessage ToMessage(string key, PresenceState state) =>
        new(new InvocationMessage(ClientMethod, [ToPresence(_names.PlaceOf(key), state)]));

    private static PlacePresence ToPresence(string place, PresenceState state) =>
        new(place, state.Count, [.. state.Users.Select(user => new PlaceUser(user.User, user.Devices))]);
}
