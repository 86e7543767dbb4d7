using System.Globalization;

namespace Marketplace.Bench.Load.Driver;

/// <summary>Who is in which room: neighbours by number, who therefore come by way of different servers.</summary>
internal static class Room
{
    private const string Lobby = "lobby";

    /// <param name="client">A client's number.</param>
    /// <param name="size">Members of a room; 0 for one room with everybody in it.</param>
    public static string NameOf(int client, int size) =>
        size == 0 ? Lobby : string.Create(CultureInfo.InvariantCulture, $"bench-{client / size}");

    /// <summary>Whether a client is among the first <paramref name="senders"/> of its room.</summary>
    public static bool Speaks(int client, int size, int senders) => (size == 0 ? client : client % size) < senders;

    /// <summary>How many of the clients from <paramref name="first"/> on speak.</summary>
    public static int CountSpeaking(int first, int count, int size, int senders) =>
        Enumerable.Range(first, count).Count(client => Speaks(client, size, senders));
}
