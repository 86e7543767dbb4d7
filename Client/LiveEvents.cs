namespace Marketplace.Client;

/// <summary>A place in a channel's history.</summary>
/// <param name="Channel">The channel's name.</param>
/// <param name="Epoch">Names the run of numbers; opaque, and compared for equality only.</param>
/// <param name="Number">Rises by one with every message of the epoch.</param>
public sealed record LiveStamp(string Channel, string Epoch, long Number)
{
    /// <summary>The place before a channel's first message: for who wants all that is kept.</summary>
    public static LiveStamp Beginning(string channel) => new(channel, ChannelCursor.BeginningEpoch, 0);
}

/// <summary>What a channel hands over, in order and once.</summary>
/// <param name="Stamp">
/// Its place. Who stores it together with what the event led to can go on from there after a restart, exactly once.
/// </param>
public abstract record LiveEvent(LiveStamp Stamp);

/// <summary>Something was said in a room.</summary>
/// <param name="Stamp">Its place.</param>
/// <param name="Message">What was said.</param>
public sealed record LiveChat(LiveStamp Stamp, ChatMessage Message) : LiveEvent(Stamp);

/// <summary>Something came into the user's inbox.</summary>
/// <param name="Stamp">Its place.</param>
/// <param name="Message">What it says.</param>
public sealed record LiveNotification(LiveStamp Stamp, NotificationMessage Message) : LiveEvent(Stamp);

/// <summary>
/// What lies before the stamp can't be handed over: what is shown of the channel must be loaded anew. The events after this one
/// come after the stamp.
/// </summary>
/// <param name="Stamp">From where it goes on.</param>
public sealed record LiveReload(LiveStamp Stamp) : LiveEvent(Stamp);

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
