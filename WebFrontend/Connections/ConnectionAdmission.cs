using Marketplace.Connections;
using Marketplace.Users;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.Connections;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// Stands before a hub's endpoint: a connection gets in with one of the cluster's total and a slot of its user's, both under
/// this frontend's lease, and is cut off at the moment that lease ends. It takes them with its first request that may carry
/// something to the client; later requests of it (polls, sends, a stateful reconnect) take nothing. A negotiation is only told
/// what a connection would be told now; whatever else reaches the endpoint counts while it lasts, whether it becomes a
/// connection or not.
/// </summary>
internal sealed class ConnectionAdmission(
    IFrontendLease lease,
    ConnectionTotal total,
    UserSlots slots,
    UserAttempts attempts,
    AdmittedConnections connections,
    ConnectionMetrics metrics,
    ConnectionDrain drain,
    TimeProvider clock)
{
    /// <summary>When there may be room again: leases end and shares come back within about a second of each other.</summary>
    private static readonly TimeSpan TryAgainIn = TimeSpan.FromSeconds(2);

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.User.FindFirst(AccessTokens.UserId)?.Value is not { Length: > 0 } user)
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        }
        else if (connections.Find(context.Request) is { } known)
        {
            await ContinueAsync(context, next, user, known);
        }
        else if (connections.IsOver(context.Request))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound; // a late poll
        }
        else if (lease.Epoch is not { } epoch || drain.HasBegun)
        {
            await RefuseUnavailableAsync(context);
        }
        else if (HasExpired(context))
        {
            // Elsewhere clocks may differ a little. Here the connection would be closed again at once, and its client come back
            // with the same token until it is refused.
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        }
        else if (context.GetEndpoint()?.Metadata.GetMetadata<NegotiateMetadata>() is not null)
        {
            await NegotiateAsync(context, next, user, epoch);
        }
        else if (AdmittedConnection.IsCarrier(context.Request))
        {
            await ConnectAsync(context, next, user, epoch);
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound; // a send to a connection that nobody opened
        }
    }

    /// <summary>A later request. After a cut, or for somebody else, there is no such connection.</summary>
    private async Task ContinueAsync(HttpContext context, RequestDelegate next, string user, AdmittedConnection known)
    {
        if (known.User != user || known.IsCut || lease.Epoch != known.Epoch)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await known.ServeAsync(context, next);
    }

    private async Task NegotiateAsync(HttpContext context, RequestDelegate next, string user, long epoch)
    {
        var outcome = await total.CheckAsync(epoch);
        if (outcome != TotalOutcome.Taken)
        {
            await (outcome == TotalOutcome.Exhausted ? RefuseTotalAsync(context) : RefuseUnavailableAsync(context));
        }
        else if (!await IsRefusedAsync(context, await slots.CheckAsync(user, new(Guid.Empty, epoch, RolesOf(context)))))
        {
            await next(context);
        }
    }

    private async Task ConnectAsync(HttpContext context, RequestDelegate next, string user, long epoch)
    {
        if (!attempts.TryBegin(user))
        {
            await RefuseUnavailableAsync(context);
            return;
        }

        bool isAnswered;
        AdmittedConnection? admitted;
        try
        {
            (isAnswered, admitted) = await AdmitAsync(context, user, epoch);
        }
        finally
        {
            attempts.End(user);
        }

        if (admitted is not null)
        {
            await admitted.ServeAsync(context, next);
        }
        else if (isAnswered)
        {
            // refused
        }
        else if (connections.Find(context.Request) is { } known)
        {
            await ContinueAsync(context, next, user, known); // two first requests at once
        }
        else
        {
            await RefuseUnavailableAsync(context);
        }
    }

    /// <summary>Takes one of the total and a slot, and gives both back once the connection is over.</summary>
    /// <returns>Whether the request has been answered, with a refusal; else the connection, or null if it may not be opened any more.</returns>
    private async Task<(bool IsAnswered, AdmittedConnection? Admitted)> AdmitAsync(HttpContext context, string user, long epoch)
    {
        var (outcome, share) = await total.TakeAsync(epoch);
        if (outcome != TotalOutcome.Taken)
        {
            await (outcome == TotalOutcome.Exhausted ? RefuseTotalAsync(context) : RefuseUnavailableAsync(context));
            return (true, null);
        }

        var end = CancellationTokenSource.CreateLinkedTokenSource(lease.EndOf(epoch), drain.Close);
        var connection = new AdmittedConnection(end, clock)
        {
            Name = Guid.NewGuid(),
            User = user,
            Epoch = epoch,
            Transport = TransportOf(context.Request),
            Token = AdmittedConnections.TokenOf(context.Request),
        };
        connections.Add(connection);
        var isOpen = false;
        try
        {
            var request = new SlotRequest(connection.Name, epoch, RolesOf(context), connection.Transport);
            if (await IsRefusedAsync(context, await slots.TakeAsync(user, request)))
            {
                return (true, null);
            }

            isOpen = !connection.IsCut && !drain.HasBegun && connections.TryOpen(connection);
            if (!isOpen)
            {
                slots.GiveBack(user, connection.Name, epoch);
            }
        }
        finally
        {
            if (!isOpen)
            {
                connection.Abandon();
                connections.Remove(connection);
                share.GiveBack();
            }
        }

        if (isOpen)
        {
            metrics.Opened();
            _ = FinishAsync(connection, share);
        }

        return (false, isOpen ? connection : null);
    }

    /// <summary>Gives back what the connection took once it is over, which may be long after its first request.</summary>
    private async Task FinishAsync(AdmittedConnection connection, ConnectionShareHolder share)
    {
        await connection.Over;
        connections.Remove(connection);
        metrics.Closed();
        share.GiveBack();
        slots.GiveBack(connection.User, connection.Name, connection.Epoch);
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

    private bool HasExpired(HttpContext context) =>
        context.Features.Get<IAuthenticateResultFeature>()?.AuthenticateResult?.Properties?.ExpiresUtc <= clock.GetUtcNow();

    private static IReadOnlyList<string> RolesOf(HttpContext context) =>
        [.. context.User.FindAll(AccessTokens.Roles).Select(claim => claim.Value)];

    private static ConnectionTransport TransportOf(HttpRequest request) =>
        HttpMethods.IsConnect(request.Method) || request.Headers.Upgrade.Contains("websocket", StringComparer.OrdinalIgnoreCase)
            ? ConnectionTransport.WebSockets
        : request.Headers.Accept.ToString().Contains("text/event-stream", StringComparison.OrdinalIgnoreCase)
            ? ConnectionTransport.ServerSentEvents
        : ConnectionTransport.LongPolling;
}
