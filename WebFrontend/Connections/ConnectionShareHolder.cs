using Marketplace.Connections;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// This frontend's share of the cluster's total under one epoch: how much it holds, how much is in use. All members are
/// safe to call from any thread; exchanges are one at a time.
/// </summary>
internal sealed class ConnectionShareHolder(long epoch)
{
    /// <summary>Unused connections beyond twice this are handed back; half of that is kept, so that it doesn't swing.</summary>
    private const int KeptSpare = 64;

    private readonly Lock _gate = new();
    private int _held;
    private int _used;
    private long _sequence;
    private bool _isScarce;
    private bool _isOver;
    private long _round;
    private long _followed;

    public long Epoch => epoch;

    public int Held
    {
        get
        {
            lock (_gate)
            {
                return _held;
            }
        }
    }

    public int Used
    {
        get
        {
            lock (_gate)
            {
                return _used;
            }
        }
    }

    /// <summary>Whether the cluster waits for a word from here: it wants back what isn't in use.</summary>
    public bool HasSomethingToSay
    {
        get
        {
            lock (_gate)
            {
                return _round != _followed || (_isScarce && _held > _used);
            }
        }
    }

    public bool HasSpare
    {
        get
        {
            lock (_gate)
            {
                return _used < _held;
            }
        }
    }

    public bool TryTake()
    {
        lock (_gate)
        {
            if (_used >= _held)
            {
                return false;
            }

            _used++;
            return true;
        }
    }

    public void GiveBack()
    {
        lock (_gate)
        {
            _used--;
            GiveUpIfOver();
        }
    }

    /// <summary>The cluster asks for everything that isn't in use; the next request answers.</summary>
    public void Recall(long round)
    {
        lock (_gate)
        {
            _round = round;
        }
    }

    /// <summary>
    /// What to say in the next exchange. What it hands back is gone from this moment: whether the call arrives or not, it
    /// may have.
    /// </summary>
    /// <param name="waiting">Connections that wait for more.</param>
    /// <param name="holder">How this frontend is reached.</param>
    public ShareRequest NextRequest(int waiting, IConnectionHolder? holder = null)
    {
        lock (_gate)
        {
            var needed = _used + waiting;
            if (_isScarce || _round != _followed)
            {
                _held = Math.Min(_held, needed);
                _followed = _round;
            }
            else if (_held - needed > 2 * KeptSpare)
            {
                _held = needed + KeptSpare;
            }

            return new(epoch, ++_sequence, _held, Math.Max(_held, needed), _used, _round, holder);
        }
    }

    /// <summary>Takes in the answer to the last request; one to an earlier request is void.</summary>
    public void Accept(ShareRequest request, ShareAnswer answer)
    {
        lock (_gate)
        {
            if (request.Sequence == _sequence)
            {
                _held = answer.Held;
                (_isScarce, _isOver) = (answer.IsScarce, answer.IsOver);
                GiveUpIfOver();
            }
        }
    }

    /// <summary>Whoever came in its place would be one too many again.</summary>
    private void GiveUpIfOver()
    {
        if (_isOver)
        {
            _held = Math.Min(_held, _used);
        }
    }
}
