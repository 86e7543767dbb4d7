using Marketplace.Trouble;
using Marketplace.WebFrontend.Realtime.History;

namespace Marketplace.WebFrontend.Live;

/// <summary>Tells users something, now or when they come back.</summary>
public interface INotifications
{
    /// <summary>
    /// Puts a notification into a user's inbox; it reaches the devices that are connected and follow it, and the others when they
    /// come back. Completes when it is stored.
    /// </summary>
    /// <exception cref="UnavailableException">Not known to be stored.</exception>
    Task SendAsync(Guid userId, string text, CancellationToken cancellationToken);
}

internal sealed class Notifications(IHubHistory<LiveHub> history, TimeProvider clock) : INotifications
{
    public Task SendAsync(Guid userId, string text, CancellationToken cancellationToken) =>
        history.PublishAsync(
            LiveChannels.Inbox(userId.ToString("D")),
            id: null,
            nameof(ILiveClient.Notification),
            [new NotificationMessage(text, clock.GetUtcNow())],
            cancellationToken);
}
