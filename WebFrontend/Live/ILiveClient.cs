namespace Marketplace.WebFrontend.Live;

/// <summary>What the server sends to a client of <c>/hubs/live</c>.</summary>
public interface ILiveClient
{
    /// <summary>Something was said in the room.</summary>
    Task Chat(ChatMessage message);

    /// <summary>Something for this user, on all devices.</summary>
    Task Notification(NotificationMessage message);

    /// <summary>Something for everyone, from the operators.</summary>
    Task Broadcast(BroadcastMessage message);

    /// <summary>This frontend is about to stop: connect anew in so many milliseconds, and you get to another.</summary>
    Task Draining(int afterMs);
}

/// <param name="Room">The room.</param>
/// <param name="From">The sender's user id.</param>
/// <param name="ClientMessageId">The sender's name for the message.</param>
/// <param name="Text">What was said.</param>
/// <param name="SentAt">When the server had it.</param>
public sealed record ChatMessage(string Room, string From, string ClientMessageId, string Text, DateTimeOffset SentAt);

/// <param name="Text">What it says.</param>
/// <param name="SentAt">When it was sent.</param>
public sealed record NotificationMessage(string Text, DateTimeOffset SentAt);

/// <param name="Text">What it says.</param>
/// <param name="SentAt">When it was sent.</param>
public sealed record BroadcastMessage(string Text, DateTimeOffset SentAt);
