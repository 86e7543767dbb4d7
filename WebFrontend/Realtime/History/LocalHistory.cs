using Marketplace.Realtime.History;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>What a delivery's number is to this frontend.</summary>
internal enum HistoryOffer
{
    /// <summary>The one after the last.</summary>
    Next,

    /// <summary>It had this one before.</summary>
    Repeat,

    /// <summary>There is something before it that it hasn't got.</summary>
    Missing,
}

/// <summary>How far this frontend has got in a channel's history.</summary>
internal sealed class LocalHistory
{
    private readonly Lock _lock = new();
    private HistoryPosition? _known;
    private HistoryPosition _begun;

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
                return field == default ? _begun : field;
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
            _begun = position;
            _known ??= position;
        }
    }

    /// <summary>Judges a number without taking it.</summary>
    public HistoryOffer Judge(HistoryPosition offered)
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

    public void Take(HistoryPosition taken)
    {
        lock (_lock)
        {
            _known = taken;
        }
    }
}
