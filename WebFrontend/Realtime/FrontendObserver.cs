using System.Threading.Channels;
using Marketplace.Realtime;
using Marketplace.WebFrontend.Frontends;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Takes messages over: a call only enqueues. One reader writes them to the connections, in the order they came in; it never
/// waits for a connection.
/// </summary>
internal sealed partial class FrontendObserver(
    IFrontendLease lease, ChannelTable channels, ILogger<FrontendObserver> logger) : IFrontendObserver, IHostedService
{
    private readonly Channel<(LocalChannel Channel, ChannelMessage Message)> _inbox =
        Channel.CreateBounded<(LocalChannel, ChannelMessage)>(
            new BoundedChannelOptions(BackplaneLimits.InboxMessagesMax) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private Task _reading = Task.CompletedTask;

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery) => new(Take(delivery));

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

        var claimed = new bool[delivery.Messages.Count];
        for (var i = 0; i < claimed.Length; i++)
        {
            var message = delivery.Messages[i];
            claimed[i] = channel.Receiver.Claims(message.Message);
            if (channel.Seen.IsRepeat(delivery.ChannelEpoch, message))
            {
                continue;
            }

            if (!_inbox.Writer.TryWrite((channel, message.Message)))
            {
                return new(DeliveryVerdict.Busy, []); // those before it are repeats when the channel comes again
            }

            channel.Seen.Remember(delivery.ChannelEpoch, message);
        }

        return new(DeliveryVerdict.Taken, claimed);
    }

    private async Task ReadAsync()
    {
        await foreach (var (channel, message) in _inbox.Reader.ReadAllAsync())
        {
            if (lease.Epoch is null)
            {
                continue; // fenced: the connections this was for are being closed
            }

            try
            {
                channel.Receiver.Receive(channel, message);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogNotWritten(error, channel.Name);
            }
        }
    }

    [LoggerMessage(LogLevel.Error, "A message of channel {Channel} could not be written")]
    private partial void LogNotWritten(Exception error, string channel);
}
