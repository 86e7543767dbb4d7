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

    /// <summary>Whether something is held here that the cluster wants back.</summary>
    public bool HoldsWhatIsWanted
    {
        get
        {
            lock (_gate)
            {
                return _isScarce && _held > _used;
            }
        }
    }

    /// <summary>Whether the cluster had nothing left at the last exchange, and there is nothing here.</summary>
    public bool IsExhausted
    {
        get
        {
            lock (_gate)
            {
                return _isScarce && _used >= _held;
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
        }
    }

    /// <summary>
    /// What to say in the next exchange. What it hands back is gone from this moment: whether the call arrives or not, it
    /// may have.
    /// </summary>
    public ShareRequest NextRequest(int waiting)
    {
        lock (_gate)
        {
            var spare = _held - _used;
            if (waiting == 0 && _isScarce)
            {
                _held = Math.Min(_held, _used);
            }
            else if (spare > 2 * KeptSpare)
            {
                _held = _used + KeptSpare;
            }

            return new(epoch, ++_sequence, _held, Math.Max(_held, waiting > 0 ? _used + waiting : 0));
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
                _isScarce = answer.IsScarce;
            }
        }
    }
}
