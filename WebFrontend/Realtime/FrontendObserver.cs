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
/// Takes messages over: a call enqueues. One reader at a time writes them to the connections, in the order they came in; it
/// never waits for a connection. Who finds nobody reading reads what he brought himself if that is little work, since a message
/// that changes threads waits for the other to wake.
/// </summary>
internal sealed partial class FrontendObserver(
    IFrontendLease lease, ChannelTable channels, LocalPlaces places, ILogger<FrontendObserver> logger) : IFrontendObserver, IHostedService
{
    private readonly Channel<Action> _inbox = Channel.CreateBounded<Action>(
        new BoundedChannelOptions(BackplaneLimits.InboxMessagesMax) { SingleReader = true });

    /// <summary>Messages times listeners that are little work.</summary>
    private const int ReadAtOnceMax = 16;

    private int _isReading;

    /// <summary>Names this frontend as a publisher. It serves itself: what comes back from a channel is dropped.</summary>
    public Guid Publisher { get; } = Guid.NewGuid();

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery)
    {
        var answer = Take(delivery);
        Read(delivery.Channel, delivery.Messages.Count);
        return new(answer);
    }

    /// <summary>Takes over what this frontend itself is about to publish; <see cref="ReadOwn"/> has it written.</summary>
    /// <returns>Whether it is for a connection of this frontend.</returns>
    public bool TakeOwn(string name, ChannelMessage message)
    {
        if (lease.Epoch is null || channels.Find(name) is not { } channel)
        {
            return false;
        }

        var isClaimed = channel.Receiver.Claims(channel, message);
        Enqueue(() => channel.Receiver.Receive(channel, message, isClaimed));
        return isClaimed;
    }

    /// <summary>Sees to it that what was taken over is written. The caller holds no lock.</summary>
    public void ReadOwn(string name)
    {
        if (MayWriteHere)
        {
            Read(name, messages: 1);
        }
        else
        {
            Read(atOnce: 0);
        }
    }

    public ValueTask<PresenceReport?> ReportPresence(string place) => new(lease.Epoch is null ? null : places.ReportOf(place));

    public ValueTask PresenceChanged(string place, PresenceState state)
    {
        Post(() => places.Tell(place, state));
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Writes to a connection of this frontend, after whatever was taken over before: who awaited a send to a group and then
    /// answers one of its connections finds them in that order. Completes when it is written, or when the lease has ended and nothing
    /// is written any more, so that what SignalR itself then writes to the connection (the result of the hub's method, the close after
    /// an abort) comes later.
    /// </summary>
    public Task WriteAsync(LocalConnection connection, SerializedHubMessage message)
    {
        if (lease.Epoch is not { } epoch)
        {
            return Task.CompletedTask; // as the reader would drop it
        }

        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(() =>
        {
            try
            {
                connection.Write(message);
            }
            finally
            {
                written.SetResult();
            }
        });
        Read(atOnce: MayWriteHere ? 1 : 0);
        return written.Task.IsCompleted ? Task.CompletedTask : WaitAsync();

        async Task WaitAsync() =>
            await written.Task.WaitAsync(lease.EndOf(epoch)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Lets the reader do something after whatever was taken over before.</summary>
    public void Post(Action action)
    {
        Enqueue(action);
        Read(atOnce: 0); // whoever posts may hold locks
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _inbox.Writer.TryComplete();
        return _inbox.Reader.Completion.WaitAsync(cancellationToken);
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
            var isClaimed = claimed[i] = channel.Receiver.Claims(channel, message.Message);
            if (message.Publisher == Publisher || channel.Seen.IsRepeat(delivery.ChannelEpoch, message))
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

    /// <summary>A grain is not to be held up by writing.</summary>
    private static bool MayWriteHere => TaskScheduler.Current == TaskScheduler.Default;

    private void Enqueue(Action action)
    {
        if (!_inbox.Writer.TryWrite(action))
        {
            throw new UnavailableException($"{BackplaneLimits.InboxMessagesMax} messages wait already to be written here.");
        }
    }

    private void Read(string name, int messages) => Read(atOnce: channels.Find(name) is { } channel
        && messages * Math.Max(1, channel.Connections.Count) <= ReadAtOnceMax ? messages : 0);

    /// <summary>Sees to it that the inbox is read, unless somebody is at it.</summary>
    /// <param name="atOnce">So many may be read on this thread, the rest on another.</param>
    private void Read(int atOnce)
    {
        if (Interlocked.Exchange(ref _isReading, 1) == 1)
        {
            return;
        }

        for (; atOnce > 0 && _inbox.Reader.TryRead(out var write); atOnce--)
        {
            Write(write);
        }

        if (!StopReading())
        {
            ThreadPool.UnsafeQueueUserWorkItem(static inbox => inbox.ReadAll(), this, preferLocal: false);
        }
    }

    private void ReadAll()
    {
        do
        {
            while (_inbox.Reader.TryRead(out var write))
            {
                Write(write);
            }
        }
        while (!StopReading());
    }

    /// <summary>False if something came in meanwhile that nobody else reads.</summary>
    private bool StopReading()
    {
        Interlocked.Exchange(ref _isReading, 0);
        return !_inbox.Reader.TryPeek(out _) || Interlocked.Exchange(ref _isReading, 1) == 1;
    }

    private void Write(Action write)
    {
        if (lease.Epoch is null)
        {
            return; // fenced: the connections this was for are being closed
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

    [LoggerMessage(LogLevel.Error, "A message could not be written to the connections of this frontend")]
    private partial void LogNotWritten(Exception error);
}
