using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Says when a reader is too far behind, and ends its connection: what is in the transport's buffer already stays, then comes
/// the reason, for whoever reads on; who doesn't is cut off.
/// </summary>
internal sealed partial class SlowReaders(
    IOptions<BackplaneSettings> settings, BackplaneMetrics metrics, TimeProvider clock, ILogger<SlowReaders> logger)
{
    private readonly BackplaneSettings _settings = settings.Value;

    /// <summary>
    /// Queues a message, or cuts the connection: then the queue is empty and has its reason. An empty queue takes a message of
    /// any length, which is one more reference to bytes that all its readers share.
    /// </summary>
    public void Queue(PendingWrites pending, SerializedHubMessage message, HubConnectionContext connection)
    {
        var bytes = message.GetSerializedMessage(connection.Protocol).Length;
        if (pending.CutReason is not null)
        {
            metrics.Dropped(1);
        }
        else if (pending.Count >= _settings.QueuedMessagesMax)
        {
            Cut(pending, connection, "messages", $"more than {_settings.QueuedMessagesMax} messages waited for it.");
        }
        else if (pending.Count > 0 && pending.Bytes + bytes > _settings.QueuedBytesMax)
        {
            Cut(pending, connection, "bytes", $"more than {_settings.QueuedBytesMax} bytes waited for it.");
        }
        else
        {
            pending.Add(message, bytes);
            metrics.Queued(1, bytes);
        }
    }

    /// <summary>Takes the next message to be written.</summary>
    public bool TryTake(PendingWrites pending, out SerializedHubMessage message)
    {
        var isTaken = pending.TryTake(out var next);
        message = next.Message;
        if (isTaken)
        {
            metrics.Queued(-1, -next.Bytes);
        }

        return isTaken;
    }

    /// <summary>Says why, when the last write has ended. The client may connect anew.</summary>
    public static async Task SayGoodbyeAsync(HubConnectionContext connection, string reason)
    {
        var said = connection.WriteAsync(new CloseMessage(reason, allowReconnect: true));
        StopWaitingForReader(connection); // it is in the buffer
        await said.ConfigureAwait(false);
        connection.RequestClose();
    }

    private void Cut(PendingWrites pending, HubConnectionContext connection, string bound, string excess)
    {
        pending.CutReason = $"This client reads too slowly: {excess}";
        metrics.Dropped(1 + pending.Count);
        metrics.Queued(-pending.Count, -pending.Bytes);
        pending.Clear();
        metrics.Cut(bound);
        LogCut(connection.ConnectionId, pending.CutReason);
        StopWaitingForReader(connection);
        _ = CutOffAsync(connection);
    }

    /// <summary>
    /// Lets the write that is under way end as it is: its bytes are in the transport's buffer, and all that it waits for is that
    /// somebody reads some of them. (SignalR does the same when it aborts a connection.)
    /// </summary>
    private static void StopWaitingForReader(HubConnectionContext connection) =>
        connection.Features.Get<IConnectionTransportFeature>()?.Transport.Output.CancelPendingFlush();

    private async Task CutOffAsync(HubConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionLifetimeFeature>() is not { } lifetime)
        {
            connection.Abort();
            return;
        }

        await Task.Delay(_settings.GoodbyeWithin, clock, lifetime.ConnectionClosed)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!lifetime.ConnectionClosed.IsCancellationRequested)
        {
            lifetime.Abort();
        }
    }

    [LoggerMessage(LogLevel.Information, "Connection {ConnectionId} is closed. {Reason}")]
    private partial void LogCut(string connectionId, string reason);
}
