using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

/// <summary>Tells users something while they are connected.</summary>
public interface INotifications
{
    /// <summary>
    /// Tells a user on all devices, on whichever frontends they are. That nobody is connected is no error. Throws
    /// <see cref="Trouble.UnavailableException"/> when those who are could not be reached.
    /// </summary>
    Task SendAsync(Guid userId, string text, CancellationToken cancellationToken);
}

internal sealed class Notifications(IHubContext<LiveHub, ILiveClient> hub, TimeProvider clock) : INotifications
{
    public Task SendAsync(Guid userId, string text, CancellationToken cancellationToken) =>
        hub.Clients.User(userId.ToString("D")).Notification(new(text, clock.GetUtcNow())).WaitAsync(cancellationToken);
}
