using Marketplace.Realtime;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime;

// What channels bring. Nothing here waits for a connection: the same reader serves all channels.
internal sealed partial class OrleansHubLifetimeManager<THub>
{
    bool IChannelReceiver.Claims(LocalChannel channel, ChannelMessage message) => message switch
    {
        HubSend { Only: { } only } => only.Any(_connections.ContainsKey),
        HubSend { Except: { } except } => channel.Connections.Any(connection => !except.Contains(connection.Key, StringComparer.Ordinal)),
        HubSend => !channel.Connections.IsEmpty,
        HubAsk ask => _connections.ContainsKey(ask.ConnectionId),
        GroupChange change => _connections.ContainsKey(change.ConnectionId),
        _ => false,
    };

    void IChannelReceiver.Receive(LocalChannel channel, ChannelMessage message, bool isClaimed)
    {
        _metrics.Received(1);
        switch (message)
        {
            case HubSend send:
                Write(channel, send);
                break;
            case HubReply reply:
                _requests.Complete(reply);
                break;
            case GroupChange change when isClaimed:
                _ = ReplyAsync(change.ReplyTo, change.RequestId, async () =>
                {
                    if (_connections.TryGetValue(change.ConnectionId, out var local)) // else it has just gone, which is no error
                    {
                        await ChangeLocalGroupAsync(local, change.Group, change.Joins);
                    }

                    return null;
                });
                break;
            case HubAsk ask when isClaimed:
                _ = ReplyAsync(ask.ReplyTo, ask.RequestId, () => AnswerAsync(ask));
                break;
            case GroupChange or HubAsk:
                break; // another frontend's connection
        }
    }

    private void Write(LocalChannel channel, HubSend send)
    {
        var message = HubPayloads<THub>.ToHubMessage(send.Payloads);
        var written = 0;
        if (send.Only is { } only)
        {
            foreach (var id in only.Distinct(StringComparer.Ordinal))
            {
                if (_connections.TryGetValue(id, out var connection))
                {
                    connection.Write(message);
                    written++;
                }
            }
        }
        else
        {
            var except = send.Except?.ToHashSet(StringComparer.Ordinal);
            foreach (var (id, connection) in channel.Connections)
            {
                if (except?.Contains(id) != true)
                {
                    connection.Write(message);
                    written++;
                }
            }
        }

        _metrics.FannedOut(written);
    }

    private async Task<ProtocolPayload?> AnswerAsync(HubAsk ask)
    {
        if (!_connections.TryGetValue(ask.ConnectionId, out var local))
        {
            throw HasGone(ask.ConnectionId);
        }

        // As long as the one who asked waits; its cancellation isn't heard of here.
        using var deadline = new CancellationTokenSource(BackplaneLimits.AnswerWithin, _clock);
        var completion = await AskLocalAsync(
            local,
            ask.RequestId,
            typeof(RawResult), // the one who asked knows the type
            () => local.Write(HubPayloads<THub>.ToHubMessage(ask.Payloads)),
            deadline.Token);
        return HubPayloads<THub>.Serialize(completion, local.Context.Protocol);
    }

    private async Task ReplyAsync(string channel, string requestId, Func<Task<ProtocolPayload?>> work)
    {
        HubReply reply;
        try
        {
            reply = new(requestId, null, await work());
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            reply = new(requestId, error.Message, null);
        }

        try
        {
            await _publisher.PublishAsync(channel, reply, CancellationToken.None);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogNotAnswered(error, requestId);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The answer to request {RequestId} could not be sent")]
    private partial void LogNotAnswered(Exception error, string requestId);
}
