using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <summary>
/// The rule of one bucket, without I/O: who gets how many permits of a window, and what must be persisted first.
/// </summary>
/// <remarks>
/// <para><b>Reservation ahead.</b> <c>granted &lt;= reserved &lt;= limit</c> at all times, where <c>reserved</c> is what the row
/// says. A grant past <c>reserved</c> waits until a larger one is persisted; the row's etag fences that write.</para>
/// <para><b>Never over.</b> A bucket that starts from a row begins at <c>granted = reserved</c>: whatever its predecessor did,
/// it granted no more than that. A predecessor that still runs may grant up to the <c>reserved</c> that it wrote, and not
/// past it, since its next write meets another etag. So the grants of all activations in a window lie in disjoint parts of
/// <c>0..limit</c>, and their sum is at most the limit. What a crash can cost is <c>reserved - granted</c>: one step.</para>
/// <para><b>Windows don't overlap.</b> A window's end is fixed when its first write is prepared, and the row's
/// <c>expires_at</c> is computed by the database after that: a successor never ends a window before its predecessor
/// does.</para>
/// <para><b>Exact.</b> While one activation lives, every permit up to the limit is granted once, repeats (a lost answer) are
/// answered from memory, and returned permits are granted again.</para>
/// <para>Time is the elapsed time of the activation's monotonic clock.</para>
/// </remarks>
internal sealed class FixedWindowBucket
{
    private readonly Dictionary<Guid, Holder> _holders = [];
    private readonly int _limit;
    private readonly TimeSpan _length;
    private readonly int _step;
    private long _window;
    private TimeSpan _endsAt;
    private int _granted;
    private int _reserved;

    /// <param name="limit">Permits in one window.</param>
    /// <param name="length">The window's length.</param>
    /// <param name="step">Permits reserved ahead with each write; also what a crash may cost.</param>
    /// <param name="window">Names this activation's windows: random, so that no other activation's leases are taken for its own.</param>
    public FixedWindowBucket(int limit, TimeSpan length, int step, long window)
    {
        (_limit, _length, _step, _window) = (limit, length, step, window);
        _endsAt = TimeSpan.MinValue;
    }

    /// <summary>Permits granted in the current window and not handed back.</summary>
    public int Granted => _granted;

    /// <summary>Permits of the current window that the store knows of.</summary>
    public int Reserved => _reserved;

    /// <summary>Takes over a window that an earlier activation left behind.</summary>
    public void Restore(int reserved, TimeSpan remaining, TimeSpan now)
    {
        _granted = _reserved = reserved;
        _endsAt = now + remaining;
    }

    /// <summary>Whether the window is still running.</summary>
    public bool IsOpen(TimeSpan now) => now < _endsAt;

    /// <summary>What must be persisted before <paramref name="request"/> can be answered in full, or null.</summary>
    public Reservation? Prepare(in PermitRequest request, TimeSpan now)
    {
        if (request.Wanted <= 0 || IsRepeat(request, now))
        {
            return null;
        }

        if (!IsOpen(now))
        {
            return new(Opens: true, Math.Min(_limit, Math.Max(_step, request.Wanted)), now + _length);
        }

        // In long arithmetic: what is wanted comes from the wire.
        var needed = Math.Min(_limit, (long)_granted - Returnable(request) + request.Wanted);
        return needed > _reserved
            ? new(Opens: false, (int)Math.Min(_limit, Math.Max(needed, (long)_reserved + _step)), _endsAt)
            : null;
    }

    /// <summary>Takes over what has been persisted.</summary>
    public void Commit(in Reservation reservation)
    {
        if (reservation.Opens)
        {
            _window++;
            _granted = 0;
            _endsAt = reservation.EndsAt;
            _holders.Clear(); // leases end with their window
        }

        _reserved = reservation.Reserved;
    }

    /// <summary>Answers from what is reserved.</summary>
    public PermitGrant Answer(in PermitRequest request, TimeSpan now)
    {
        if (IsRepeat(request, now))
        {
            var repeated = _holders[request.Holder];
            return Grant(request.Sequence == repeated.Sequence ? repeated.LastGrant : 0, now);
        }

        if (!IsOpen(now))
        {
            return Grant(0, now); // hands back only, and to a window that is over
        }

        var returned = Returnable(request);
        _granted -= returned;
        var granted = Math.Clamp(request.Wanted, 0, Math.Max(0, _reserved - _granted));
        _granted += granted;
        if (_holders.TryGetValue(request.Holder, out var holder) || granted > 0)
        {
            // Only those who hold something are remembered, so there are at most as many as permits.
            _holders[request.Holder] = new(request.Sequence, granted, holder.Outstanding - returned + granted);
        }

        return Grant(granted, now);
    }

    private PermitGrant Grant(int granted, TimeSpan now) => new(
        granted,
        _window,
        IsOpen(now) ? _endsAt - now : TimeSpan.Zero,
        IsOpen(now) ? Math.Max(0, _limit - _granted) : _limit,
        _limit,
        _length,
        PolicyVersion: 1);

    private bool IsRepeat(in PermitRequest request, TimeSpan now) =>
        IsOpen(now) && _holders.TryGetValue(request.Holder, out var holder) && request.Sequence <= holder.Sequence;

    /// <summary>Nobody can hand back more than is leased to it in this window, so a return never makes room twice.</summary>
    private int Returnable(in PermitRequest request) =>
        request.ReturnedWindow == _window && _holders.TryGetValue(request.Holder, out var holder)
            ? Math.Clamp(request.Returned, 0, holder.Outstanding)
            : 0;

    /// <summary>What a bucket remembers of a frontend in the current window.</summary>
    /// <param name="Sequence">The last request that was answered.</param>
    /// <param name="LastGrant">What it was granted.</param>
    /// <param name="Outstanding">Permits leased to it and not handed back.</param>
    private readonly record struct Holder(long Sequence, int LastGrant, int Outstanding);
}

/// <summary>A write that has to be acknowledged before a bucket may go on.</summary>
/// <param name="Opens">Whether it starts a new window.</param>
/// <param name="Reserved">Permits of the window that may be granted from then on.</param>
/// <param name="EndsAt">End of the window, by the activation's clock.</param>
internal readonly record struct Reservation(bool Opens, int Reserved, TimeSpan EndsAt);
