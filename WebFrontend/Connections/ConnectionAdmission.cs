using Marketplace.Connections;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.Connections;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// Stands before a hub's endpoint: a connection gets in with one of the cluster's total and a slot of its user's, both under
/// this frontend's lease, and is cut off at the moment that lease ends. A negotiation is only told what a connection would
/// be told now; whatever else reaches the endpoint counts, whether it becomes a connection or not.
/// </summary>
internal sealed class ConnectionAdmission(
    IFrontendLease lease, ConnectionTotal total, UserSlots slots, ConnectionMetrics metrics, ConnectionDrain drain)
{
    /// <summary>When there may be room again: leases end and shares come back within about a second of each other.</summary>
    private static readonly TimeSpan TryAgainIn = TimeSpan.FromSeconds(2);

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.User.FindFirst("sub")?.Value is not { Length: > 0 } user)
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        }
        else if (lease.Epoch is not { } epoch || drain.HasBegun)
        {
            await RefuseUnavailableAsync(context);
        }
        else if (context.GetEndpoint()?.Metadata.GetMetadata<NegotiateMetadata>() is not null)
        {
            await NegotiateAsync(context, next, user, epoch);
        }
        else
        {
            await ConnectAsync(context, next, user, epoch);
        }
    }

    private async Task NegotiateAsync(HttpContext context, RequestDelegate next, string user, long epoch)
    {
        var outcome = await total.CheckAsync(epoch);
        if (outcome != TotalOutcome.Taken)
        {
            await (outcome == TotalOutcome.Exhausted ? RefuseTotalAsync(context) : RefuseUnavailableAsync(context));
        }
        else if (!await IsRefusedAsync(context, await slots.CheckAsync(user, epoch)))
        {
            await next(context);
        }
    }

    private async Task ConnectAsync(HttpContext context, RequestDelegate next, string user, long epoch)
    {
        var (outcome, share) = await total.TakeAsync(epoch);
        if (outcome != TotalOutcome.Taken)
        {
            await (outcome == TotalOutcome.Exhausted ? RefuseTotalAsync(context) : RefuseUnavailableAsync(context));
            return;
        }

        try
        {
            var connection = Guid.NewGuid();
            if (!await IsRefusedAsync(context, await slots.TakeAsync(user, connection, epoch)))
            {
                try
                {
                    await ServeAsync(context, next, epoch);
                }
                finally
                {
                    slots.GiveBack(user, connection, epoch);
                }
            }
        }
        finally
        {
            share.GiveBack();
        }
    }

    private async Task ServeAsync(HttpContext context, RequestDelegate next, long epoch)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(lease.EndOf(epoch), drain.Close);
        if (end.IsCancellationRequested)
        {
            await RefuseUnavailableAsync(context);
            return;
        }

        metrics.Opened();
        try
        {
            await using (end.Token.UnsafeRegister(static request => ((HttpContext)request!).Abort(), context))
            {
                await next(context);
            }
        }
        finally
        {
            metrics.Closed();
        }
    }

    private async Task<bool> IsRefusedAsync(HttpContext context, SlotAnswer? answer)
    {
        switch (answer?.Outcome)
        {
            case SlotOutcome.Taken:
                return false;
            case SlotOutcome.LimitReached:
                metrics.Refused("user");
                await ProblemWriter.WriteAsync(
                    context, StatusCodes.Status429TooManyRequests, ProblemTypes.ConnectionLimit, "Too many connections",
                    "You have as many live connections as one may have; close one of them first.", answer.RetryAfter);
                return true;
            default:
                await RefuseUnavailableAsync(context);
                return true;
        }
    }

    private Task RefuseTotalAsync(HttpContext context)
    {
        metrics.Refused("total");
        return ProblemWriter.WriteAsync(
            context, StatusCodes.Status503ServiceUnavailable, ProblemTypes.ConnectionLimit, "Too many connections",
            "The service has as many live connections as it may have.", TryAgainIn);
    }

    private Task RefuseUnavailableAsync(HttpContext context)
    {
        metrics.Refused("unavailable");
        return ProblemWriter.WriteUnavailableAsync(context, "No connection can be admitted at the moment.", TryAgainIn);
    }
}
