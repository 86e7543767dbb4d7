namespace Marketplace.Client;

// How every message is handed over once and in order, whatever arrives.
//
// The one rule: a message is taken only if it is the one after the last. Anything else is either had already, and dropped; or it is
// dropped too, and the server asked for all that came after the last one (Resume). So nothing is held back for later: the server's
// history is the buffer, for what arrives too early as well as for what the application is too slow to take.
//
// A server's answer to Resume says how far it has sent. What hasn't arrived by a moment later is asked for again; after
// FruitlessMax answers that brought nothing the application is told to load anew, since waiting longer would hide the loss.
internal sealed class ChannelCursor(LiveStamp? last)
{
    public const string BeginningEpoch = "0";
    public const int FruitlessMax = 3;

    private LiveStamp? _askedAfter;
    private LiveStamp? _owed;
    private bool _isReloaded;

    /// <summary>The last message taken; null before it is known where the channel stands.</summary>
    public LiveStamp? Last { get; private set; } = last;

    /// <summary>Something was dropped, or may have been missed, that must be asked for.</summary>
    public bool IsBehind { get; private set; } = true;

    /// <summary>Answers in a row that brought nothing of what they promised.</summary>
    public int Fruitless { get; private set; }

    /// <summary>Whether the message is to be handed over.</summary>
    public bool Take(LiveStamp stamp, bool hasRoom)
    {
        if (Last is { } last && last.Epoch == stamp.Epoch && stamp.Number <= last.Number)
        {
            return false;
        }

        if (!hasRoom || !IsNext(stamp))
        {
            IsBehind = true;
            return false;
        }

        Last = stamp;
        return true;
    }

    /// <summary>The server says unasked that what lies before the stamp is gone; whether to tell the application.</summary>
    public bool TakeReload(LiveStamp stamp)
    {
        if (Last is { } last && last.Epoch == stamp.Epoch && stamp.Number <= last.Number)
        {
            return false; // it has all of that
        }

        (Last, _isReloaded) = (stamp, true);
        return true;
    }

    /// <summary>A new connection: it must be asked what came after the last message.</summary>
    public void Lose() => (IsBehind, Fruitless) = (true, 0);

    /// <summary>The place to ask from.</summary>
    public LiveStamp? Ask()
    {
        (IsBehind, _isReloaded, _owed, _askedAfter) = (false, false, null, Last);
        return Last;
    }

    /// <summary>The question was not answered.</summary>
    public void Unanswered() => IsBehind = true;

    /// <summary>Takes the answer to <see cref="Ask"/>; whether to tell the application to load anew.</summary>
    public bool Answer(LiveStamp stamp, bool isReload)
    {
        if (_isReloaded)
        {
            return false; // was told in the meantime, and stands further
        }

        if (isReload)
        {
            (Last, Fruitless) = (stamp, 0);
            return true;
        }

        if (Last is null || (Last.Epoch == BeginningEpoch && stamp.Number == 0))
        {
            Last = stamp;
        }

        _owed = stamp;
        return false;
    }

    /// <summary>Whether all that the answer said was sent has arrived.</summary>
    public bool IsSettled => _owed is not { } owed || (Last is { } last && last.Epoch == owed.Epoch && last.Number >= owed.Number);

    /// <summary>
    /// What was owed had its time to arrive. If it didn't, it is to be asked for again; when that helps no more, the place is
    /// returned from which to go on, and the application must load anew.
    /// </summary>
    public LiveStamp? Settle()
    {
        if (IsSettled)
        {
            Fruitless = 0;
            return null;
        }

        IsBehind = true;
        Fruitless = Last == _askedAfter ? Fruitless + 1 : 0;
        if (Fruitless < FruitlessMax)
        {
            return null;
        }

        (Last, Fruitless) = (_owed, 0); // and asked once more from here: what came meanwhile was dropped
        return Last;
    }

    private bool IsNext(LiveStamp stamp) => Last is { } last
        && stamp.Number == last.Number + 1
        && (stamp.Epoch == last.Epoch || last.Epoch == BeginningEpoch);
}
