using Marketplace.Trouble;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>
/// The channels of a hub that keep what they carry: like groups, but a client that was away gets what it missed, on whichever
/// frontend it comes back. Every message has a <see cref="HistoryStamp"/>, which clients get as its first argument; a client
/// remembers the last one of each channel and names it when it comes back.
/// </summary>
public interface IHubHistory<THub> where THub : Hub
{
    /// <summary>
    /// Sends an invocation to all who follow the channel. Completes when it is stored, from when on nobody misses it.
    /// </summary>
    /// <param name="channel">The channel's name, 1 to 200 characters.</param>
    /// <param name="id">
    /// The sender's name for the message, 1 to 200 characters: a message whose id the channel has is the same message and isn't
    /// sent again. Null if the sender doesn't repeat itself.
    /// </param>
    /// <param name="method">The client's method.</param>
    /// <param name="arguments">Its arguments after the stamp; JSON must be able to hold them.</param>
    /// <param name="cancellationToken">Ends the wait, not the sending.</param>
    /// <exception cref="UnavailableException">Not known to be stored; the same id may be sent again.</exception>
    Task<HistoryStamp> PublishAsync(
        string channel, string? id, string method, object?[] arguments, CancellationToken cancellationToken = default);

    /// <summary>
    /// Lets a connection of this frontend follow a channel. With a stamp, it has been sent all that came after it when this
    /// completes, before anything newer.
    /// </summary>
    /// <param name="connectionId">The connection.</param>
    /// <param name="channel">The channel's name.</param>
    /// <param name="after">The last message that the client has; null to begin with the next one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="UnavailableException">It could not be done at the moment.</exception>
    Task<HistoryJoined> FollowAsync(
        string connectionId, string channel, HistoryStamp? after, CancellationToken cancellationToken = default);

    /// <summary>Lets it follow no more. A connection that doesn't is no error.</summary>
    Task LeaveAsync(string connectionId, string channel);
}

/// <summary>A place in a channel's history, as clients know it.</summary>
/// <param name="Channel">The channel's name.</param>
/// <param name="Epoch">Names the run of numbers; opaque, and compared for equality only.</param>
/// <param name="Number">Rises by one with every message of the epoch.</param>
public sealed record HistoryStamp(string Channel, string Epoch, long Number);

/// <summary>Where a connection stands in a channel that it follows now.</summary>
/// <param name="Stamp">The last message that it has, or that was there before it.</param>
/// <param name="IsReload">
/// What it asked for is kept no longer, wholly or in part: what it shows of the channel must be loaded anew. It gets what comes
/// after <paramref name="Stamp"/>.
/// </param>
public sealed record HistoryJoined(HistoryStamp Stamp, bool IsReload);
