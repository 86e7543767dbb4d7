using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// Looks at the lease before a hub's method runs and before it is answered. A connection is cut off when its lease ends, but in a
/// process that was paused and wakes up, calls that lay in its sockets may come before that.
/// </summary>
internal sealed class LeaseFilter(IFrontendLease lease) : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        CutUnlessHeld(invocationContext.Context);
        var result = await next(invocationContext);
        CutUnlessHeld(invocationContext.Context);
        return result;
    }

    /// <summary>After the cut SignalR writes nothing more to the connection, this exception neither.</summary>
    private void CutUnlessHeld(HubCallerContext connection)
    {
        if (connection.Features.Get<IHubConnectionFeature>() is AdmittedConnection admitted && lease.Epoch != admitted.Epoch)
        {
            connection.Abort();
            throw new OperationCanceledException("The lease that this connection was held under has ended.");
        }
    }
}
