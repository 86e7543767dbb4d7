using System.Collections.Concurrent;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.WebFrontend.Realtime.History;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>What a frontend's channels hand their messages to: the hub. All but <see cref="Claims"/> is called by one reader.</summary>
internal interface IChannelReceiver
{
    /// <summary>Whether the message is for a connection of this frontend. Quick: called inside an observer call.</summary>
    bool Claims(LocalChannel channel, ChannelMessage message);

    /// <summary>Writes the message to local listeners, without waiting for any of them.</summary>
    /// <param name="channel">The channel that it came by.</param>
    /// <param name="message">The message.</param>
    /// <param name="isClaimed">What <see cref="Claims"/> said of it: then somebody waits for an answer, be the connection gone by now.</param>
    void Receive(LocalChannel channel, ChannelMessage message, bool isClaimed);

    /// <summary>As <see cref="Receive"/>, for a channel with history.</summary>
    void ReceiveKept(LocalChannel channel, HistoryPosition position, HistoryMessage message);

    /// <summary>Tells local listeners that messages up to a position are gone for good.</summary>
    void ReceiveLoss(LocalChannel channel, HistoryPosition position);
}

/// <summary>A channel that this frontend listens to.</summary>
internal sealed class LocalChannel(string name, long change, IChannelReceiver receiver, LocalHistory? history)
{
    private long _listensUnder;

    public string Name => name;

    /// <summary>The change that its <c>Listen</c> is called with, however often.</summary>
    public long Change => change;

    public IChannelReceiver Receiver => receiver;

    /// <summary>Given for a channel that keeps what it carries.</summary>
    public LocalHistory? History => history;

    /// <summary>Its connections by their ids.</summary>
    public ConcurrentDictionary<string, LocalConnection> Connections { get; } = new(StringComparer.Ordinal);

    /// <summary>Touched by the observer only, whose calls run one after another.</summary>
    public RepeatFilter Seen { get; } = new(BackplaneLimits.PublishersMax);

    /// <summary>Listened to for the process itself, with or without connections.</summary>
    public bool IsPinned { get; set; }

    /// <summary>Completes when the channel knows that this frontend listens.</summary>
    public Task? Listening { get; set; }

    /// <summary>The lease under which the channel was told last: under another one it knows nothing of this frontend.</summary>
    public long ListensUnder
    {
        get => Volatile.Read(ref _listensUnder);
        set => Volatile.Write(ref _listensUnder, value);
    }
}
