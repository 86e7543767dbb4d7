using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;

namespace Marketplace.WebFrontend.Live;

/// <summary>
/// What the server sends to a client of <c>/hubs/live</c>. What comes with a stamp is kept: the client names the last stamp of
/// each channel in <c>Resume</c> when it comes back.
/// </summary>
public interface ILiveClient
{
    /// <summary>Something was said in the room.</summary>
    Task Chat(HistoryStamp stamp, ChatMessage message);

    /// <summary>Something for this user, on all devices.</summary>
    Task Notification(HistoryStamp stamp, NotificationMessage message);

    /// <summary>Who is in the room, for those who are: the whole of it, whenever it has changed.</summary>
    Task Presence(PlacePresence presence);

    /// <summary>What lies before the stamp is kept no longer: what the client shows of the channel must be loaded anew.</summary>
    Task Reload(HistoryStamp stamp);

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
