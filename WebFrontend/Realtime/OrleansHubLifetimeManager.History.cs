using Marketplace.Realtime.History;
using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime;

// What channels with history bring to those who follow them. Who begins to follow, and from where, is HubHistory's.
internal sealed partial class OrleansHubLifetimeManager<THub>
{
    /// <summary>What clients are told, with the stamp to go on from, when something is gone for good while they follow.</summary>
    private const string ReloadMethod = "Reload";

    public LocalConnection? Find(string connectionId) => _connections.GetValueOrDefault(connectionId);

    void IChannelReceiver.ReceiveKept(LocalChannel channel, HistoryPosition position, HistoryMessage message)
    {
        _metrics.Received(1);
        channel.History!.Written = position;
        WriteToFollowers(channel, position, stamp => _history.ToHubMessage(stamp, message));
    }

    void IChannelReceiver.ReceiveLoss(LocalChannel channel, HistoryPosition position)
    {
        channel.History!.Written = position;
        WriteToFollowers(channel, position, stamp => new(new InvocationMessage(ReloadMethod, [stamp])));
    }

    private void WriteToFollowers(LocalChannel channel, HistoryPosition position, Func<HistoryStamp, SerializedHubMessage> make)
    {
        SerializedHubMessage? message = null;
        var written = 0;
        foreach (var connection in channel.Connections.Values)
        {
            if (connection.Following?.GetValueOrDefault(channel.Name) is { } follower)
            {
                message ??= make(HistoryPayloads<THub>.ToStamp(_names.HistoryOf(channel.Name), position));
                follower.Write(position, message);
                written++;
            }
        }

        _metrics.FannedOut(written);
    }
}
