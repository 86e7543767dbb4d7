using System.Collections.Concurrent;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>What a frontend's channels hand their messages to: the hub.</summary>
internal interface IChannelReceiver
{
    /// <summary>Whether the message names a connection of this frontend. Quick: called inside an observer call.</summary>
    bool Claims(Marketplace.Realtime.ChannelMessage message);

    /// <summary>Writes the message to local listeners, without waiting for any of them.</summary>
    void Receive(LocalChannel channel, Marketplace.Realtime.ChannelMessage message);
}

/// <summary>A channel that this frontend listens to.</summary>
internal sealed class LocalChannel(string name, long change, IChannelReceiver receiver)
{
    public string Name => name;

    /// <summary>The change that its <c>Listen</c> is called with, however often.</summary>
    public long Change => change;

    public IChannelReceiver Receiver => receiver;

    /// <summary>Its connections by their ids.</summary>
    public ConcurrentDictionary<string, LocalConnection> Connections { get; } = new(StringComparer.Ordinal);

    /// <summary>Touched by the observer only, whose calls run one after another.</summary>
    public RepeatFilter Seen { get; } = new(BackplaneLimits.PublishersMax);

    /// <summary>Listened to for the process itself, with or without connections.</summary>
    public bool IsPinned { get; set; }

    /// <summary>Completes when the channel knows that this frontend listens.</summary>
    public Task? Listening { get; set; }
}

/// <summary>
/// The channels with a local listener, and the listeners. A channel is in the table before it is registered and until its
/// last listener has gone, so that a message that comes in between is taken. All changes are made under one lock, which is
/// held for a few dictionary operations; reading takes none. The lock also orders the comings and goings of a channel, by the
/// change that each carries to its grain, where they may arrive in any order.
/// </summary>
internal sealed class ChannelTable
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, LocalChannel> _channels = new(StringComparer.Ordinal);
    private long _change;

    public ICollection<LocalChannel> All => _channels.Values;

    public LocalChannel? Find(string name) => _channels.GetValueOrDefault(name);

    /// <summary>
    /// Adds a listener. The task completes when the channel knows; null means that the connection has gone.
    /// </summary>
    public Task? Add(string name, LocalConnection connection, IChannelReceiver receiver, Func<LocalChannel, Task> listen)
    {
        lock (_lock)
        {
            if (connection.IsGone)
            {
                return null;
            }

            var channel = GetOrAdd(name, receiver);
            channel.Connections[connection.Id] = connection;
            connection.Channels.Add(name);
            return EnsureListening(channel, listen);
        }
    }

    /// <summary>Listens for the process itself.</summary>
    public Task Pin(string name, IChannelReceiver receiver, Func<LocalChannel, Task> listen)
    {
        lock (_lock)
        {
            var channel = GetOrAdd(name, receiver);
            channel.IsPinned = true;
            return EnsureListening(channel, listen);
        }
    }

    /// <summary>Removes a listener. If it was the last one, the channel is to be left, with the change returned.</summary>
    public long? Remove(string name, LocalConnection connection)
    {
        lock (_lock)
        {
            return RemoveLocked(name, connection);
        }
    }

    /// <summary>Removes a connection that has gone from all its channels; returns those that are to be left, as above.</summary>
    public IReadOnlyList<(string Name, long Change)> RemoveGone(LocalConnection connection)
    {
        lock (_lock)
        {
            connection.IsGone = true;
            var left = new List<(string, long)>();
            foreach (var name in connection.Channels.ToArray())
            {
                if (RemoveLocked(name, connection) is { } change)
                {
                    left.Add((name, change));
                }
            }

            return left;
        }
    }

    private LocalChannel GetOrAdd(string name, IChannelReceiver receiver)
    {
        if (!_channels.TryGetValue(name, out var channel))
        {
            _channels[name] = channel = new(name, ++_change, receiver);
        }

        return channel;
    }

    private long? RemoveLocked(string name, LocalConnection connection)
    {
        connection.Channels.Remove(name);
        return _channels.TryGetValue(name, out var channel)
            && channel.Connections.TryRemove(connection.Id, out _)
            && channel is { Connections.IsEmpty: true, IsPinned: false }
            && _channels.TryRemove(name, out _)
                ? ++_change : null;
    }

    private static Task EnsureListening(LocalChannel channel, Func<LocalChannel, Task> listen)
    {
        if (channel.Listening is null or { IsFaulted: true } or { IsCanceled: true })
        {
            channel.Listening = listen(channel);
        }

        return channel.Listening;
    }
}
