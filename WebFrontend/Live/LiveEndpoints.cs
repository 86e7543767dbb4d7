using Marketplace.WebFrontend.Connections;
using Microsoft.AspNetCore.Http.Connections;

namespace Marketplace.WebFrontend.Live;

internal static class LiveEndpoints
{
    public static WebApplication MapLive(this WebApplication app)
    {
        // WebSockets only: a connection is one request there, whose end is the connection's. Long polling would be many.
        app.MapHub<LiveHub>("/hubs/live", options => options.Transports = HttpTransportType.WebSockets).WithConnectionLimits();
        app.MapLiveOperations();
        return app;
    }
}
