using Marketplace.Hosting.Settings;
using Marketplace.Users;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Limits.Calls;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

internal static class LiveServiceCollectionExtensions
{
    /// <summary>
    /// What a client that asks for stateful reconnects may be sent before it acknowledges, which it does once a second; past it, it
    /// looks like a slow reader and is soon cut. What is sent to many is kept once, so this costs far less than it says.
    /// </summary>
    private const int UnacknowledgedBytesMax = 1_048_576;

    public static IServiceCollection AddLive(this IServiceCollection services)
    {
        services.AddSettings<LiveSettings>(LiveSettings.Section);
        services.AddSingleton<LiveChannels>();
        services.AddSingleton<LeaseFilter>();
        services.AddSingleton<HubCallLimiter>();
        services.AddSignalR(hub =>
        {
            hub.StatefulReconnectBufferSize = UnacknowledgedBytesMax;
            hub.AddFilter<LeaseFilter>();
            hub.AddFilter<HubCallLimiter>();
            hub.AddFilter<TroubleFilter>();
        }).AddOrleansBackplane();
        services.AddSingleton<IUserIdProvider, UserFromToken>();
        services.AddSingleton<INotifications, Notifications>();
        services.AddSingleton<IClientDrain, LiveDrain>();
        return services;
    }

    /// <summary>SignalR's own provider reads another claim.</summary>
    private sealed class UserFromToken : IUserIdProvider
    {
        public string? GetUserId(HubConnectionContext connection) => connection.User.FindFirst(AccessTokens.UserId)?.Value;
    }
}
