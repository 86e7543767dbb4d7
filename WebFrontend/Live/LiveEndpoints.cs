using Marketplace.WebFrontend.Connections;

namespace Marketplace.WebFrontend.Live;

internal static class LiveEndpoints
{
    /// <summary>Shorter than proxies wait for an answer; ours waits 90 s, which is SignalR's default too.</summary>
    private static readonly TimeSpan PollTimeout = TimeSpan.FromSeconds(60);

    public static WebApplication MapLive(this WebApplication app)
    {
        app.MapHub<LiveHub>("/hubs/live", options =>
        {
            options.AllowStatefulReconnects = true;

            // A session that has ended gets no other token; until then the client comes back with a new one and misses nothing.
            options.CloseOnAuthenticationExpiration = true;
            options.LongPolling.PollTimeout = PollTimeout;
        }).WithConnectionLimits();
        app.MapLiveOperations();
        return app;
    }
}
