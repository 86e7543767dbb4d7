using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

internal static class HubConnectionContextExtensions
{
    /// <summary>
    /// Ends a connection behind what was written to it, and tells its client that it may reconnect; <c>Abort()</c> would tell it
    /// not to. Idempotent.
    /// </summary>
    public static void RequestClose(this HubConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionLifetimeNotificationFeature>() is { } ending)
        {
            ending.RequestClose();
        }
        else
        {
            connection.Abort(); // a transport that can't say it
        }
    }
}
