using Marketplace.Realtime;
using Marketplace.Realtime.History;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>How far this frontend has got in a channel's history.</summary>
internal sealed class LocalHistory
{
    private readonly Lock _lock = new();
    private HistoryPosition? _known;
    private HistoryPosition? _begun;

    /// <summary>The last message taken over; null before the channel has answered or sent anything.</summary>
    public HistoryPosition? Known
    {
        get
        {
            lock (_lock)
            {
                return _known;
            }
        }
    }

    /// <summary>The reader's: the last message handed to followers; what comes after it comes through the inbox.</summary>
    public HistoryPosition Written
    {
        get
        {
            lock (_lock)
            {
                return field == default ? _begun ?? default : field;
            }
        }

        set
        {
            lock (_lock)
            {
                field = value;
            }
        }
    }

    /// <summary>The channel sends all that comes after <paramref name="position"/>, unless it has begun to already.</summary>
    public void Begin(HistoryPosition position)
    {
        lock (_lock)
        {
            _begun ??= position; // what a later answer names may be on its way here; an earlier one's may be late
            _known ??= position;
        }
    }

    /// <summary>The reader's: what was taken over and not handed to followers is as if it had never come.</summary>
    public void ForgetUnwritten()
    {
        lock (_lock)
        {
            var written = Written;
            _known = written == default ? _begun : written;
        }
    }

    /// <summary>Takes what is new of a delivery, in order and without a gap.</summary>
    /// <param name="delivery">Of this channel.</param>
    /// <param name="queueLoss">Queues word of what is gone for good, up to a position; false when the queue is full.</param>
    /// <param name="queue">Queues a message; false when the queue is full.</param>
    public DeliveryAnswer Take(
        ChannelDelivery delivery, Func<HistoryPosition, bool> queueLoss, Func<HistoryPosition, NumberedMessage, bool> queue)
    {
        if (delivery.IsAfterLoss && Judge(PositionOf(delivery, 0)) is HistoryOffer.Missing)
        {
            var before = new HistoryPosition(delivery.ChannelEpoch, delivery.Messages[0].Number - 1);
            if (!queueLoss(before))
            {
                return new(DeliveryVerdict.Busy, []);
            }

            Know(before);
        }

        for (var i = 0; i < delivery.Messages.Count; i++)
        {
            var position = PositionOf(delivery, i);
            switch (Judge(position))
            {
                case HistoryOffer.Repeat:
                    continue;
                case HistoryOffer.Missing:
                    return new(DeliveryVerdict.Missing, [], Known ?? default);
            }

            if (!queue(position, delivery.Messages[i]))
            {
                return new(DeliveryVerdict.Busy, []); // those before it are repeats when the channel comes again
            }

            Know(position);
        }

        return new(DeliveryVerdict.Taken, new bool[delivery.Messages.Count]);
    }

    private static HistoryPosition PositionOf(ChannelDelivery delivery, int index) =>
        new(delivery.ChannelEpoch, delivery.Messages[index].Number);

    private HistoryOffer Judge(HistoryPosition offered)
    {
        lock (_lock)
        {
            return _known switch
            {
                null => HistoryOffer.Next, // the answer to Listen is on its way; whatever comes first is the first after it
                { } known when known.Epoch == offered.Epoch && offered.Number <= known.Number => HistoryOffer.Repeat,
                { } known when known.Epoch == offered.Epoch && offered.Number == known.Number + 1 => HistoryOffer.Next,
                { Number: 0, Epoch: 0 } when offered.Number == 1 => HistoryOffer.Next,
                _ => HistoryOffer.Missing,
            };
        }
    }

    private void Know(HistoryPosition position)
    {
        lock (_lock)
        {
            _known = position;
        }
    }

    /// <summary>What a delivery's number is to this frontend.</summary>
    private enum HistoryOffer
    {
        /// <summary>The one after the last.</summary>
        Next,

        /// <summary>It had this one before.</summary>
        Repeat,

        /// <summary>There is something before it that it hasn't got.</summary>
        Missing,
    }
}
