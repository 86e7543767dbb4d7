using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Limits.Calls;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

/// <summary>Tells a client that its call may be tried again, where SignalR would only say that something went wrong.</summary>
internal sealed class TroubleFilter : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(
        HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        try
        {
            return await next(invocationContext);
        }
        catch (CallRefusedException refused)
        {
            throw new HubException(refused.Message, refused);
        }
        catch (Exception error) when (ClusterTrouble.IsTransient(error))
        {
            throw new HubException("The service is temporarily unavailable; please try again.", error);
        }
    }
}
