using Marketplace.WebFrontend.Connections;

namespace Marketplace.WebFrontend.Live;

internal static class LiveEndpoints
{
    public static WebApplication MapLive(this WebApplication app)
    {
        app.MapHub<LiveHub>("/hubs/live", options => options.AllowStatefulReconnects = true).WithConnectionLimits();
        app.MapLiveOperations();
        return app;
    }
}
