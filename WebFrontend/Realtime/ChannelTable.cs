using System.Collections.Concurrent;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime.History;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>A channel that nobody here listens to any more.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Change">The change to leave it with.</param>
/// <param name="HasHistory">Which kind of channel it is.</param>
internal readonly record struct ChannelLeft(string Name, long Change, bool HasHistory);

/// <summary>
/// The channels with a local listener, and the listeners. A channel is in the table before it is registered and until its
/// last listener has gone, so that a message that comes in between is taken. All changes are made under one lock, which is
/// held for a few dictionary operations; reading takes none. The lock also orders the comings and goings of a channel, by the
/// change that each carries to its grain, where they may arrive in any order.
/// </summary>
internal sealed class ChannelTable(IFrontendLease lease)
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, LocalChannel> _channels = new(StringComparer.Ordinal);
    private long _change;

    public ICollection<LocalChannel> All => _channels.Values;

    public LocalChannel? Find(string name) => _channels.GetValueOrDefault(name);

    /// <summary>
    /// Adds a listener. The task completes when the channel knows; null means that the connection has gone.
    /// </summary>
    public Task? Add(
        string name, LocalConnection connection, IChannelReceiver receiver, Func<LocalChannel, Task> listen, bool hasHistory = false)
    {
        lock (_lock)
        {
            if (connection.IsGone)
            {
                return null;
            }

            var channel = GetOrAdd(name, receiver, hasHistory);
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
            var channel = GetOrAdd(name, receiver, hasHistory: false);
            channel.IsPinned = true;
            return EnsureListening(channel, listen);
        }
    }

    /// <summary>Removes a listener. If it was the last one, the channel that is to be left is returned.</summary>
    public ChannelLeft? Remove(string name, LocalConnection connection)
    {
        lock (_lock)
        {
            return RemoveLocked(name, connection);
        }
    }

    /// <summary>Removes a connection that has gone from all its channels; returns those that are to be left, as above.</summary>
    public IReadOnlyList<ChannelLeft> RemoveGone(LocalConnection connection)
    {
        lock (_lock)
        {
            connection.IsGone = true;
            var left = new List<ChannelLeft>();
            foreach (var name in connection.Channels.ToArray())
            {
                if (RemoveLocked(name, connection) is { } channel)
                {
                    left.Add(channel);
                }
            }

            return left;
        }
    }

    private LocalChannel GetOrAdd(string name, IChannelReceiver receiver, bool hasHistory)
    {
        if (!_channels.TryGetValue(name, out var channel))
        {
            _channels[name] = channel = new(name, ++_change, receiver, hasHistory ? new LocalHistory() : null);
        }

        return channel;
    }

    private ChannelLeft? RemoveLocked(string name, LocalConnection connection)
    {
        connection.Channels.Remove(name);
        return _channels.TryGetValue(name, out var channel)
            && channel.Connections.TryRemove(connection.Id, out _)
            && channel is { Connections.IsEmpty: true, IsPinned: false }
            && _channels.TryRemove(name, out _)
                ? new(name, ++_change, channel.History is not null) : null;
    }

    private Task EnsureListening(LocalChannel channel, Func<LocalChannel, Task> listen)
    {
        if (channel.Listening is null or { IsFaulted: true } or { IsCanceled: true }
            || (channel.Listening.IsCompletedSuccessfully && channel.ListensUnder != lease.Epoch))
        {
            channel.Listening = listen(channel);
        }

        return channel.Listening;
    }
}
