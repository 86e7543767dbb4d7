using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;

namespace Marketplace.Realtime;

/// <summary>
/// A frontend's end of every channel it listens to. Calls to one observer run one after another, so a call only puts the
/// messages into the frontend's queue and answers.
/// </summary>
[Alias("realtime.observer")]
public interface IFrontendObserver : IGrainObserver
{
    /// <summary>Takes messages over for the frontend's local listeners.</summary>
    [Alias("deliver")]
    ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery);

    /// <summary>Who is present in a place by way of this frontend; null if nobody is.</summary>
    [Alias("report-presence")]
    ValueTask<PresenceReport?> ReportPresence(string place);

    /// <summary>Who is present in a place in all, for those who are there by way of this frontend.</summary>
    [Alias("presence-changed")]
    ValueTask PresenceChanged(string place, PresenceState state);
}

/// <summary>Messages of one channel for one frontend, in the channel's order.</summary>
/// <param name="Channel">The channel's name.</param>
/// <param name="FrontendEpoch">The lease under which the frontend listens.</param>
/// <param name="ChannelEpoch">Names the run of numbers; compared for equality only.</param>
/// <param name="Messages">At least one, in rising order of their numbers.</param>
/// <param name="IsAfterLoss">With history: what lies between the frontend's last message and these is gone for good.</param>
[GenerateSerializer, Immutable, Alias("realtime.delivery")]
public sealed record ChannelDelivery(
    [property: Id(0)] string Channel,
    [property: Id(1)] long FrontendEpoch,
    [property: Id(2)] long ChannelEpoch,
    [property: Id(3)] IReadOnlyList<NumberedMessage> Messages,
    [property: Id(4)] bool IsAfterLoss = false);

/// <summary>A message as the channel stamped it.</summary>
/// <param name="Number">Rises by one with every message of the channel's epoch.</param>
/// <param name="Publisher">Who published it.</param>
/// <param name="Sequence">Its place in the publisher's order; with the publisher, its name for ever.</param>
/// <param name="Message">What is sent.</param>
[GenerateSerializer, Immutable, Alias("realtime.numbered")]
public sealed record NumberedMessage(
    [property: Id(0)] long Number,
    [property: Id(1)] Guid Publisher,
    [property: Id(2)] long Sequence,
    [property: Id(3)] ChannelMessage Message);

/// <summary>A frontend's answer to a delivery.</summary>
/// <param name="Verdict">What it did with it.</param>
/// <param name="Claimed">For each message whether it is for a connection of this frontend; empty unless taken.</param>
/// <param name="Known">When messages are missing: the last one that the frontend has.</param>
[GenerateSerializer, Immutable, Alias("realtime.answer")]
public sealed record DeliveryAnswer(
    [property: Id(0)] DeliveryVerdict Verdict,
    [property: Id(1)] IReadOnlyList<bool> Claimed,
    [property: Id(2)] HistoryPosition Known = default);

/// <summary>What a frontend did with a delivery.</summary>
[GenerateSerializer, Alias("realtime.verdict")]
public enum DeliveryVerdict
{
    /// <summary>All messages are in its queue, or had been before.</summary>
    Taken = 0,

    /// <summary>It has no listener here and need not be called again until it says <c>Listen</c>.</summary>
    NotListening = 1,

    /// <summary>Its queue is full, or it has no lease at the moment: the same again in a moment.</summary>
    Busy = 2,

    /// <summary>With history: there are messages before these that it hasn't got, and it took none.</summary>
    Missing = 3,
}
