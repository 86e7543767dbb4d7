using Marketplace.Client;
using Microsoft.AspNetCore.SignalR;

namespace Client.Tests;

/// <summary>What fake servers keep, in common if they are given the same; it is always right, whatever they do with it.</summary>
internal sealed class FakeHistory
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Kept> _channels = [];
    private readonly Dictionary<(string Channel, string ConnectionId), ISingleClientProxy> _followers = [];
    private int _epochs = 10;

    /// <summary>What comes to a connection: replaced to repeat, to leave out, to mix up.</summary>
    public Action<Action<FakeMessage>, FakeMessage> Deliver { get; set; } = (send, message) => send(message);

    /// <summary>Stores a message and sends it to those who follow. The same id again is the same message.</summary>
    public LiveStamp Say(string channel, string text, string? id = null)
    {
        lock (_lock)
        {
            var kept = Find(channel);
            if (id is not null && kept.Messages.Find(known => known.Chat.ClientMessageId == id) is { } known)
            {
                return known.Stamp;
            }

            var stamp = new LiveStamp(channel, kept.Epoch, kept.Messages.Count + 1);
            var message = new FakeMessage(stamp, new(channel, "somebody", id ?? "", text, DateTimeOffset.UnixEpoch));
            kept.Messages.Add(message);
            foreach (var (key, client) in _followers)
            {
                if (key.Channel == channel)
                {
                    Deliver(it => Send(client, it), message);
                }
            }

            return stamp;
        }
    }

    public object Resume(string channel, string? epoch, long number, string connectionId, ISingleClientProxy client)
    {
        lock (_lock)
        {
            var kept = Find(channel);
            _followers[(channel, connectionId)] = client;
            var stamp = new LiveStamp(channel, kept.Epoch, kept.Messages.Count);
            var isReload = epoch is not null && ((epoch != kept.Epoch && epoch != "0") || number > stamp.Number);
            if (epoch is not null && !isReload)
            {
                kept.Messages.Skip((int)number).ToList().ForEach(message => Deliver(it => Send(client, it), message));
            }

            return new { stamp, isReload };
        }
    }

    /// <summary>Forgets what a channel had: its numbers begin anew, in another epoch.</summary>
    public void Forget(string channel, bool tell)
    {
        lock (_lock)
        {
            var kept = _channels[channel] = new($"e{_epochs++}");
            foreach (var (key, client) in _followers.Where(follower => tell && follower.Key.Channel == channel))
            {
                _ = client.SendAsync("Reload", new LiveStamp(channel, kept.Epoch, 0));
            }
        }
    }

    public void Leave(string channel, string connectionId)
    {
        lock (_lock)
        {
            _followers.Remove((channel, connectionId));
        }
    }

    public void Gone(string connectionId)
    {
        lock (_lock)
        {
            foreach (var key in _followers.Keys.Where(key => key.ConnectionId == connectionId).ToList())
            {
                _followers.Remove(key);
            }
        }
    }

    private static void Send(ISingleClientProxy client, FakeMessage message) => _ = client.SendAsync("Chat", message.Stamp, message.Chat);

    private Kept Find(string channel) => _channels.TryGetValue(channel, out var kept) ? kept : _channels[channel] = new($"e{_epochs++}");

    private sealed record Kept(string Epoch)
    {
        public List<FakeMessage> Messages { get; } = [];
    }
}

internal sealed record FakeMessage(LiveStamp Stamp, ChatMessage Chat);
