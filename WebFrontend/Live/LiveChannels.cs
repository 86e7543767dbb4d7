using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Live;

/// <summary>The names of the live hub's channels, and who may follow which.</summary>
internal sealed partial class LiveChannels(IOptions<LiveSettings> settings)
{
    /// <summary>The one room that is open until bookings open others.</summary>
    public const string Lobby = "lobby";

    private const string RoomPrefix = "room/";
    private const string InboxName = "inbox";

    public static string Room(string room) => RoomPrefix + room;

    public static string Inbox(string userId) => $"{InboxName}/{userId}";

    /// <summary>The room whose channel this is, or null if it is no room's.</summary>
    public static string? RoomOf(string channel) =>
        channel.StartsWith(RoomPrefix, StringComparison.Ordinal) ? channel[RoomPrefix.Length..] : null;

    /// <summary>Whether the channel is this user's inbox, by its full name or the short one.</summary>
    public static bool IsInboxOf(string channel, string userId) => channel == InboxName || channel == Inbox(userId);

    public bool IsOpen(string? room) => room == Lobby || (settings.Value.OpenRooms && room is not null && RoomName().IsMatch(room));

    [GeneratedRegex("^[a-z0-9-]{1,64}$")]
    private static partial Regex RoomName();
}
