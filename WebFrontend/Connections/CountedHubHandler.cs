using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Connections;

/// <summary>Runs a hub as SignalR does, and tells the connection's admission when it begins and ends.</summary>
internal sealed class CountedHubHandler<THub>(
    HubLifetimeManager<THub> lifetimeManager,
    IHubProtocolResolver protocolResolver,
    IOptions<HubOptions> globalHubOptions,
    IOptions<HubOptions<THub>> hubOptions,
    ILoggerFactory loggerFactory,
    IUserIdProvider userIdProvider,
    IServiceScopeFactory serviceScopeFactory)
    : HubConnectionHandler<THub>(
        lifetimeManager, protocolResolver, globalHubOptions, hubOptions, loggerFactory, userIdProvider, serviceScopeFactory)
    where THub : Hub
{
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        if (AdmittedConnection.Of(connection) is not { } admitted)
        {
            await base.OnConnectedAsync(connection); // a hub without limits
            return;
        }

        if (!admitted.TryStart(connection))
        {
            connection.Abort();
            return;
        }

        try
        {
            await base.OnConnectedAsync(connection);
        }
        finally
        {
            admitted.HubEnded();
        }
    }
}
