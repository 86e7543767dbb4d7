using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Users;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

/// <summary>What operators may say to those who are connected.</summary>
internal static class LiveOperations
{
    private const int TextLengthMax = 2_000;

    public static IEndpointRouteBuilder MapLiveOperations(this IEndpointRouteBuilder routes)
    {
        var operations = routes.MapOperations();
        operations.MapPost("/broadcast", Broadcast);
        operations.MapPost("/notifications", Notify);
        return routes;
    }

    /// <summary>Answers when every frontend with a connection has taken it over.</summary>
    private static async Task<Results<Accepted, ProblemHttpResult>> Broadcast(
        BroadcastRequest request, IHubContext<LiveHub, ILiveClient> hub, TimeProvider clock, CancellationToken cancellationToken)
    {
        var errors = Check(request.Text);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        await hub.Clients.All.Broadcast(new(request.Text!, clock.GetUtcNow())).WaitAsync(cancellationToken);
        return TypedResults.Accepted((string?)null);
    }

    private static async Task<Results<Accepted, ProblemHttpResult>> Notify(
        NotificationRequest request, INotifications notifications, CancellationToken cancellationToken)
    {
        var errors = Check(request.Text);
        if (request.UserId is not { } user || user == Guid.Empty)
        {
            errors.Add("userId", "The id of a user is required.");
            user = default;
        }

        if (errors.Any)
        {
            return errors.ToProblem();
        }

        await notifications.SendAsync(user, request.Text!, cancellationToken);
        return TypedResults.Accepted((string?)null);
    }

    private static FieldErrors Check(string? text)
    {
        var errors = new FieldErrors();
        if (text is not { Length: >= 1 and <= TextLengthMax })
        {
            errors.Add("text", $"Must have 1 to {TextLengthMax} characters.");
        }

        return errors;
    }

    internal sealed record BroadcastRequest(string? Text);

    internal sealed record NotificationRequest(Guid? UserId, string? Text);
}
