using Marketplace.Realtime.History;

namespace Marketplace.Grains.Realtime.History;

/// <summary>Where channels keep what they carried.</summary>
internal interface IHistoryStore
{
    /// <summary>The channel as it stands; null if it never carried anything, or all of it is too old.</summary>
    ValueTask<KeptChannel?> FindAsync(string channel);

    /// <summary>The channel as it stands, made if there is none.</summary>
    ValueTask<KeptChannel> OpenAsync(string channel);

    /// <summary>
    /// Appends once committed. Answers each item's number by its id (an old number if that id is kept already), or with null
    /// when the channel isn't as the append says: somebody else appended.
    /// </summary>
    ValueTask<IReadOnlyDictionary<string, long>?> AppendAsync(HistoryAppend append);

    /// <summary>
    /// The oldest of the kept messages after a number, in their order, as many as go into one answer; none when the channel is in
    /// another epoch by now.
    /// </summary>
    ValueTask<IReadOnlyList<KeptMessage>> ReadAsync(string channel, long epoch, long after);

    /// <summary>Forgets the oldest messages beyond the bounds; answers with what is kept then.</summary>
    ValueTask<KeptChannel?> TrimAsync(string channel, long messagesMax, long bytesMax);
}

/// <summary>A channel's row.</summary>
/// <param name="Epoch">Names the run of numbers.</param>
/// <param name="FirstNumber">Of the oldest message kept, or less.</param>
/// <param name="LastNumber">Of the newest.</param>
/// <param name="Bytes">Of all that is kept.</param>
internal sealed record KeptChannel(long Epoch, long FirstNumber, long LastNumber, long Bytes);

/// <summary>A message with its number.</summary>
internal sealed record KeptMessage(long Number, HistoryMessage Message);

/// <summary>Messages for one channel, whose ids differ.</summary>
/// <param name="Channel">The channel.</param>
/// <param name="Epoch">Its epoch.</param>
/// <param name="LastNumber">Its last number as the writer knows it.</param>
/// <param name="Items">At least one.</param>
internal sealed record HistoryAppend(string Channel, long Epoch, long LastNumber, IReadOnlyList<HistoryItem> Items);
