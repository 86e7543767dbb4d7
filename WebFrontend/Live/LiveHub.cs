using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Live;

/// <summary>
/// What is live: rooms and notifications. A connection is in one room at a time. What a client sent wrongly is answered with
/// a <see cref="HubException"/>, whose text reaches it; of anything else it learns only that the call failed.
/// </summary>
[Authorize]
public sealed partial class LiveHub(IOptions<LiveSettings> settings, TimeProvider clock) : Hub<ILiveClient>
{
    /// <summary>The one room that is open until bookings open others.</summary>
    public const string Lobby = "lobby";

    private const int ClientMessageIdLengthMax = 64;
    private const int TextLengthMax = 2_000;
    private const string RoomItem = "room";

    private string? Room
    {
        get => Context.Items.TryGetValue(RoomItem, out var room) ? (string?)room : null;
        set => Context.Items[RoomItem] = value;
    }

    /// <summary>Enters a room, and leaves the one the connection was in. What is said there after this returned is heard.</summary>
    public async Task JoinRoom(string? room)
    {
        if (room is null || (room != Lobby && !(settings.Value.OpenRooms && OpenRoom().IsMatch(room))))
        {
            throw new HubException("This room is not open.");
        }

        if (Room is { } old && old != room)
        {
            await Groups.RemoveFromGroupAsync(Context.ConnectionId, Group(old));
        }

        await Groups.AddToGroupAsync(Context.ConnectionId, Group(room));
        Room = room;
    }

    /// <summary>Leaves a room. Leaving a room that the connection isn't in does nothing.</summary>
    public async Task LeaveRoom(string? room)
    {
        if (Room is { } current && current == room)
        {
            Room = null;
            await Groups.RemoveFromGroupAsync(Context.ConnectionId, Group(current));
        }
    }

    /// <summary>Says something in the room that the connection is in; everyone there is told, the sender too.</summary>
    /// <param name="clientMessageId">The sender's name for the message, 1 to 64 characters.</param>
    /// <param name="text">1 to 2000 characters.</param>
    public async Task SendChat(string? clientMessageId, string? text)
    {
        if (clientMessageId is not { Length: >= 1 and <= ClientMessageIdLengthMax })
        {
            throw new HubException($"clientMessageId must have 1 to {ClientMessageIdLengthMax} characters.");
        }

        if (text is not { Length: >= 1 and <= TextLengthMax })
        {
            throw new HubException($"text must have 1 to {TextLengthMax} characters.");
        }

        if (Room is not { } room)
        {
            throw new HubException("Join a room first.");
        }

        await Clients.Group(Group(room)).Chat(new(room, Context.UserIdentifier!, clientMessageId, text, clock.GetUtcNow()));
    }

    private static string Group(string room) => $"room/{room}";

    [GeneratedRegex(@"^[a-z0-9-]{1,64}\z")]
    private static partial Regex OpenRoom();
}
