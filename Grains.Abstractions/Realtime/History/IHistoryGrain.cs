namespace Marketplace.Realtime.History;

/// <summary>
/// A channel that numbers what it carries and keeps it, so that nobody misses anything: a frontend that finds a number missing,
/// and a client that comes back on any frontend, get what they lack. The key is the channel's name, see
/// <see cref="ChannelNames.History"/>.
/// </summary>
[Alias("realtime.history")]
public interface IHistoryGrain : IGrainWithStringKey
{
    /// <summary>
    /// From the answer on, every message after the position that it names is sent to this frontend. Idempotent.
    /// </summary>
    /// <param name="listener">The frontend.</param>
    /// <param name="change">As in <see cref="IChannelGrain.Listen"/>.</param>
    /// <param name="known">The last message that the frontend has of this channel, if any: what it lacks is sent again.</param>
    [Alias("listen")]
    ValueTask<HistoryPosition> Listen(FrontendAddress listener, long change, HistoryPosition? known);

    /// <inheritdoc cref="IChannelGrain.Leave"/>
    [Alias("leave")]
    ValueTask Leave(long epoch, long change);

    /// <summary>
    /// Appends messages in their order. Answers when they are committed, with the position of each; from then on they reach
    /// every listening frontend whatever dies. A message whose id the channel has already is the same message: it is answered
    /// with the position that it has and nothing is appended. Throws <see cref="Trouble.UnavailableException"/> when it isn't
    /// known whether anything was appended; the same call again finds out.
    /// </summary>
    [Alias("append")]
    ValueTask<IReadOnlyList<HistoryPosition>> Append(IReadOnlyList<HistoryItem> items);

    /// <summary>What came after a position, oldest first, as much of it as goes into one answer.</summary>
    [Alias("read")]
    ValueTask<HistoryPage> Read(HistoryPosition after);
}

/// <summary>A place in a channel's history: after the message with this number.</summary>
/// <param name="Epoch">Names the run of numbers; zero for a channel that never carried anything.</param>
/// <param name="Number">Zero before the first message of the run, which has the number one.</param>
[GenerateSerializer, Immutable, Alias("realtime.position")]
public readonly record struct HistoryPosition([property: Id(0)] long Epoch, [property: Id(1)] long Number);

/// <summary>A message to be kept.</summary>
/// <param name="Id">1 to <see cref="IdLengthMax"/> characters; names the message within its channel.</param>
/// <param name="Message">What is kept.</param>
[GenerateSerializer, Immutable, Alias("realtime.history-item")]
public sealed record HistoryItem([property: Id(0)] string Id, [property: Id(1)] HistoryMessage Message)
{
    public const int IdLengthMax = 200;
}

/// <summary>An invocation that is kept, without its stamp, which is the first argument that clients get.</summary>
/// <param name="Method">The client's method.</param>
/// <param name="Arguments">The arguments after the stamp: a JSON array in UTF-8.</param>
[GenerateSerializer, Immutable, Alias("realtime.history-message")]
public sealed record HistoryMessage(
    [property: Id(0)] string Method, [property: Id(1)] ReadOnlyMemory<byte> Arguments) : ChannelMessage;

/// <summary>A part of a channel's history.</summary>
/// <param name="End">The channel's last message.</param>
/// <param name="Messages">In rising order of their numbers, without a gap; empty when there is nothing after what was asked for.</param>
/// <param name="IsLost">History no longer reaches back to what was asked for: something in between is gone for good.</param>
[GenerateSerializer, Immutable, Alias("realtime.history-page")]
public sealed record HistoryPage(
    [property: Id(0)] HistoryPosition End,
    [property: Id(1)] IReadOnlyList<NumberedMessage> Messages,
    [property: Id(2)] bool IsLost);
