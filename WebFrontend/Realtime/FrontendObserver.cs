using System.Threading.Channels;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Takes messages over: a call only enqueues. One reader writes them to the connections, in the order they came in; it never
/// waits for a connection.
/// </summary>
internal sealed partial class FrontendObserver(
    IFrontendLease lease, ChannelTable channels, LocalPlaces places, ILogger<FrontendObserver> logger) : IFrontendObserver, IHostedService
{
    private readonly Channel<Action> _inbox = Channel.CreateBounded<Action>(
        new BoundedChannelOptions(BackplaneLimits.InboxMessagesMax) { SingleReader = true });

    private Task _reading = Task.CompletedTask;

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery) => new(Take(delivery));

    public ValueTask<PresenceReport?> ReportPresence(string place) => new(lease.Epoch is null ? null : places.ReportOf(place));

    public ValueTask PresenceChanged(string place, PresenceState state)
    {
        Post(() => places.Tell(place, state));
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Writes to a connection of this frontend, after whatever was taken over before: who awaited a send to a group and then
    /// answers one of its connections finds them in that order.
    /// </summary>
    public void Post(LocalConnection connection, SerializedHubMessage message) => Post(() => connection.Write(message));

    /// <summary>Lets the reader do something after whatever was taken over before.</summary>
    public void Post(Action action)
    {
        if (!_inbox.Writer.TryWrite(action))
        {
            throw new UnavailableException($"{BackplaneLimits.InboxMessagesMax} messages wait already to be written here.");
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _reading = Task.Run(ReadAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _inbox.Writer.TryComplete();
        return _reading.WaitAsync(cancellationToken);
    }

    private DeliveryAnswer Take(ChannelDelivery delivery)
    {
        if (lease.Epoch is not { } epoch)
        {
            return new(DeliveryVerdict.Busy, []); // the lease that the channel knows has ended, as it will find out
        }

        if (epoch != delivery.FrontendEpoch || channels.Find(delivery.Channel) is not { } channel)
        {
            return new(DeliveryVerdict.NotListening, []);
        }

        return channel.History is { } history ? TakeKept(delivery, channel, history) : TakePassing(delivery, channel);
    }

    private DeliveryAnswer TakePassing(ChannelDelivery delivery, LocalChannel channel)
    {
        var claimed = new bool[delivery.Messages.Count];
        for (var i = 0; i < claimed.Length; i++)
        {
            var message = delivery.Messages[i];
            var isClaimed = claimed[i] = channel.Receiver.Claims(message.Message);
            if (channel.Seen.IsRepeat(delivery.ChannelEpoch, message))
            {
                continue;
            }

            if (!_inbox.Writer.TryWrite(() => channel.Receiver.Receive(channel, message.Message, isClaimed)))
            {
                return new(DeliveryVerdict.Busy, []); // those before it are repeats when the channel comes again
            }

            channel.Seen.Remember(delivery.ChannelEpoch, message);
        }

        return new(DeliveryVerdict.Taken, claimed);
    }

    private DeliveryAnswer TakeKept(ChannelDelivery delivery, LocalChannel channel, LocalHistory history) => history.Take(
        delivery,
        before => _inbox.Writer.TryWrite(() => channel.Receiver.ReceiveLoss(channel, before)),
        (position, message) => _inbox.Writer.TryWrite(
            () => channel.Receiver.ReceiveKept(channel, position, (HistoryMessage)message.Message)));

    private async Task ReadAsync()
    {
        await foreach (var write in _inbox.Reader.ReadAllAsync())
        {
            if (lease.Epoch is null)
            {
                continue; // fenced: the connections this was for are being closed
            }

            try
            {
                write();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogNotWritten(error);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "A message could not be written to the connections of this frontend")]
    private partial void LogNotWritten(Exception error);
}
