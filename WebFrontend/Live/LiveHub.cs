using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Live;

/// <summary>
/// What is live: rooms and notifications. A connection is in one room at a time. What a client sent wrongly is answered with
/// a <see cref="HubException"/>, whose text reaches it; of anything else it learns only that the call failed.
/// </summary>
[Authorize]
internal sealed class LiveHub(
    LiveChannels channels, IHubHistory<LiveHub> history, IHubPresence<LiveHub> presence, TimeProvider clock) : Hub<ILiveClient>
{
    private const int ClientMessageIdLengthMax = 64;
    private const int TextLengthMax = 2_000;
    private const int ResumeMax = 2; // a room and the inbox
    private const string RoomItem = "room";

    private string? Room
    {
        get => Context.Items.TryGetValue(RoomItem, out var room) ? (string?)room : null;
        set => Context.Items[RoomItem] = value;
    }

    /// <summary>Enters a room, and leaves the one the connection was in. What is said there after this returned is heard.</summary>
    /// <returns>The room's last message so far.</returns>
    public async Task<HistoryStamp> JoinRoom(string? room) => (await EnterAsync(room, after: null)).Stamp;

    /// <summary>Leaves a room. Leaving a room that the connection isn't in does nothing.</summary>
    public async Task LeaveRoom(string? room)
    {
        if (Room is { } current && current == room)
        {
            await LeaveAsync(current);
        }
    }

    /// <summary>
    /// Says something in the room that the connection is in; everyone there is told, the sender too. Returns when it is stored,
    /// from when on nobody misses it. The same name again is the same message: a call that failed can be repeated.
    /// </summary>
    /// <param name="clientMessageId">The sender's name for the message, 1 to 64 characters, none of which is a control character.</param>
    /// <param name="text">1 to 2000 characters.</param>
    public async Task<HistoryStamp> SendChat(string? clientMessageId, string? text)
    {
        if (clientMessageId is not { Length: >= 1 and <= ClientMessageIdLengthMax } || clientMessageId.Any(char.IsControl))
        {
            throw new HubException($"clientMessageId must have 1 to {ClientMessageIdLengthMax} characters, none of which is a control character.");
        }

        if (text is not { Length: >= 1 and <= TextLengthMax })
        {
            throw new HubException($"text must have 1 to {TextLengthMax} characters.");
        }

        if (Room is not { } room)
        {
            throw new HubException("Join a room first, and try again."); // it may be in none for a moment, when one can't be followed
        }

        var user = Context.UserIdentifier!;
        var message = new ChatMessage(room, user, clientMessageId, text, clock.GetUtcNow());
        return await history.PublishAsync(
            LiveChannels.Room(room), $"{user}/{clientMessageId}", nameof(ILiveClient.Chat), [message], Context.ConnectionAborted);
    }

    /// <summary>
    /// Follows channels from where the client has got to: a room (<c>room/…</c>, which it enters) and its inbox (<c>inbox</c>).
    /// Returns when it was sent all that it missed; an answer that says reload means that some of it is kept no longer.
    /// </summary>
    /// <param name="points">For each channel its last stamp; without an epoch it begins now, and epoch 0 is the very beginning.</param>
    public async Task<IReadOnlyList<HistoryJoined>> Resume(IReadOnlyList<ResumePoint?>? points)
    {
        if (points is not { Count: >= 1 and <= ResumeMax })
        {
            throw new HubException($"Resume takes 1 to {ResumeMax} channels.");
        }

        if (points.Count(point => point?.Channel is { } channel && !LiveChannels.IsInboxOf(channel, Context.UserIdentifier!)) > 1)
        {
            throw new HubException("A connection is in one room at a time.");
        }

        var joined = new List<HistoryJoined>();
        foreach (var point in points)
        {
            joined.Add(await ResumeAsync(point));
        }

        return joined;
    }

    private Task<HistoryJoined> ResumeAsync(ResumePoint? point)
    {
        if (point?.Channel is not { } channel)
        {
            throw new HubException("A channel is missing.");
        }

        var after = string.IsNullOrEmpty(point.Epoch) ? null : new HistoryStamp(channel, point.Epoch, point.Number);
        if (LiveChannels.IsInboxOf(channel, Context.UserIdentifier!))
        {
            return history.FollowAsync(
                Context.ConnectionId, LiveChannels.Inbox(Context.UserIdentifier!), after, Context.ConnectionAborted);
        }

        return EnterAsync(LiveChannels.RoomOf(channel), after);
    }

    private async Task<HistoryJoined> EnterAsync(string? room, HistoryStamp? after)
    {
        if (!channels.IsOpen(room))
        {
            throw new HubException("This room is not open.");
        }

        if (Room is { } old && old != room)
        {
            await LeaveAsync(old);
        }

        try
        {
            var joined = await history.FollowAsync(Context.ConnectionId, LiveChannels.Room(room!), after, Context.ConnectionAborted);
            Room = room;
            presence.Enter(Context.ConnectionId, room!);
            return joined;
        }
        catch when (Room is not null)
        {
            await LeaveAsync(room!); // it was in there already, and hears nothing any more
            throw;
        }
    }

    private Task LeaveAsync(string room)
    {
        Room = null;
        presence.Leave(Context.ConnectionId, room);
        return history.LeaveAsync(Context.ConnectionId, LiveChannels.Room(room));
    }
}

/// <summary>How far a client has got in a channel.</summary>
/// <param name="Channel">The channel's name.</param>
/// <param name="Epoch">Of its last stamp; null or empty to begin with the next message.</param>
/// <param name="Number">Of its last stamp.</param>
public sealed record ResumePoint(string? Channel, string? Epoch, long Number);
