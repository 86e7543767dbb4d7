using Marketplace.Limits;

namespace Marketplace.Grains.Limits.Pools;

/// <summary>
/// Fixed and sliding windows. Time is cut into segments; a permit is granted in the current one, may be spent until the segment
/// ends, and counts until the whole segment has left the window. A fixed window is one segment as long as the window, which
/// starts with its first request and stops counting when it ends.
/// </summary>
/// <remarks>
/// <para><b>No interval as long as a sliding window sees more than the limit.</b> What is spent in it was granted in segments that
/// had not ended before the interval began, so at the last grant all of those still counted; and the sum of what counts never
/// exceeds the limit. When a permit is spent within its segment doesn't matter, so that leases cost no exactness.</para>
/// <para><b>Across activations</b> the sum of what is <i>reserved</i> in the segments never exceeds the limit in any row, and a
/// successor counts all of it: whatever a predecessor that still runs goes on granting lies within its reservation, and its
/// segments end no later than the successor's copies of them. When exactly they end the successor can't know: the row's age was
/// measured at some moment between question and answer. So it grants until the earliest end that this allows, which is no later
/// than the row's expiry (when somebody else may start afresh), and counts until the latest. So does one that found no row: that of
/// its predecessor may have counted until the write was carried out, and a window that counted from the question would end too soon
/// after it.</para>
/// </remarks>
internal sealed class WindowPool(LimitPolicyOptions policy, long lot) : PermitPool(policy)
{
    /// <summary>Oldest first; only the last can be granted from.</summary>
    private readonly List<Segment> _segments = new(1);
    private long _lot = lot;

    private bool Slides => Policy.Algorithm == LimitAlgorithm.SlidingWindow;

    private TimeSpan SegmentLength => Slides ? Policy.Window / Policy.Segments : Policy.Window;

    public override TimeSpan CountsAfterwards => Slides ? Policy.Window : TimeSpan.Zero;

    public override IReadOnlyList<long> Lots
    {
        get => [.. _segments.Select(segment => segment.Lot)];
        set
        {
            // From the newest back: the oldest may have stopped counting on the way.
            for (var i = 1; i <= Math.Min(value.Count, _segments.Count); i++)
            {
                _segments[^i].Lot = value[^i];
            }
        }
    }

    public override int Free(TimeSpan now)
    {
        Forget(now);
        var free = Policy.Limit;
        foreach (var segment in _segments)
        {
            free -= segment.Granted;
        }

        return free;
    }

    public override int Grantable(TimeSpan now) => Current(now) is { } current
        ? Math.Max(0, Math.Min(Free(now), current.Reserved - current.Granted))
        : 0;

    public override Reservation? Prepare(int count, bool renews, TimeSpan now)
    {
        var free = Free(now);
        if (count <= 0 || free <= 0)
        {
            return null;
        }

        if (Current(now) is { } current)
        {
            var most = (long)current.Granted + free;
            var reserved = (int)Math.Min(most, Math.Max((long)current.Granted + count, (long)current.Reserved + Step));
            return current.Granted + (long)count > current.Reserved && reserved > current.Reserved
                ? Write(now, reserved, current.EndsAt, current.Slack, opens: false)
                : null;
        }

        return Slides || _segments.Count == 0
            ? Write(now, Math.Min(free, Math.Max(Step, count)), NextEnd(now), slack: TimeSpan.Zero, opens: true)
            : null; // a fixed window that may still be running somewhere
    }

    public override void Commit(Reservation reservation, TimeSpan slack = default)
    {
        if (reservation.Opens)
        {
            _segments.Add(new(++_lot, reservation.EndsAt) { Slack = slack });
        }

        if (_segments is [.., var current] && current.EndsAt == reservation.EndsAt)
        {
            current.Reserved = reservation.Reserved;
        } // else the write outlasted the segment
    }

    public override (long Lot, TimeSpan EndsIn) Grant(int count, TimeSpan now)
    {
        if (Current(now) is not { } current)
        {
            return (0, TimeSpan.Zero);
        }

        current.Granted += count;
        return (current.Lot, current.EndsAt - now);
    }

    public override void TakeBack(long lot, int count)
    {
        if (_segments.Find(segment => segment.Lot == lot) is { } segment)
        {
            segment.Granted -= Math.Min(count, segment.Granted);
        }
    }

    public override bool Knows(long lot, TimeSpan now)
    {
        Forget(now);
        return _segments.Exists(segment => segment.Lot == lot);
    }

    public override TimeSpan ResetsIn(TimeSpan now)
    {
        Forget(now);
        return _segments.Find(segment => segment.Granted > 0) is { } oldest
            ? oldest.EndsAt + oldest.Slack + CountsAfterwards - now
            : TimeSpan.Zero;
    }

    public override TimeSpan RetryIn(int missing, TimeSpan now)
    {
        var free = Free(now);
        var retryIn = TimeSpan.Zero;
        foreach (var segment in _segments.Where(segment => segment.Granted > 0))
        {
            free += segment.Granted;
            retryIn = segment.EndsAt + segment.Slack + CountsAfterwards - now;
            if (free >= missing)
            {
                break;
            }
        }

        return retryIn;
    }

    /// <remarks>
    /// Where nothing counts there is no segment: one that ends at once would be a window anew, for as long as the database's clock
    /// were set back afterwards, and shorter than a window may be.
    /// </remarks>
    public override Reservation Exact(TimeSpan now) => _segments is [.., var last]
        ? Write(now, last.Granted, last.EndsAt, last.Slack, opens: false)
        : new(new([]), Life: TimeSpan.Zero, Reserved: 0, now, Opens: false);

    public override void Restore(StoredPermits state, TimeSpan age, TimeSpan askedAt, TimeSpan now)
    {
        _segments.Clear();
        if (state.Level is not null)
        {
            Carry(state.Held, now);
            return;
        }

        foreach (var (endsIn, permits) in state.Parts)
        {
            _segments.Add(new(++_lot, askedAt + endsIn - age) { Granted = permits, Reserved = permits, Slack = now - askedAt });
        }

        Forget(now);
    }

    public override void Carry(int used, TimeSpan now) =>
        _segments.Add(new(++_lot, now + SegmentLength) { Granted = used, Reserved = used });

    private Reservation Write(TimeSpan now, int reserved, TimeSpan endsAt, TimeSpan slack, bool opens)
    {
        var settled = opens ? _segments.Count : Math.Max(0, _segments.Count - 1);
        var parts = _segments.Take(settled)
            .Select(segment => (segment.EndsAt + segment.Slack - now, segment.Granted))
            .Append((endsAt + slack - now, reserved));
        return new(new([.. parts]), endsAt + slack + CountsAfterwards - now, reserved, endsAt, opens);
    }

    /// <summary>
    /// The segment to grant from. A sliding window's last half segment is too short to be of use to a holder: what is granted
    /// then belongs to the next.
    /// </summary>
    private Segment? Current(TimeSpan now) =>
        _segments is [.., var last] && last.EndsAt - now > (Slides ? SegmentLength / 2 : TimeSpan.Zero) ? last : null;

    private TimeSpan NextEnd(TimeSpan now) =>
        (_segments is [.., var last] && last.EndsAt > now ? last.EndsAt : now) + SegmentLength;

    private void Forget(TimeSpan now)
    {
        var gone = 0;
        while (gone < _segments.Count && _segments[gone].EndsAt + _segments[gone].Slack + CountsAfterwards <= now)
        {
            gone++;
        }

        _segments.RemoveRange(0, gone);
    }

    private sealed class Segment(long lot, TimeSpan endsAt)
    {
        public long Lot { get; set; } = lot;

        public TimeSpan EndsAt => endsAt;

        /// <summary>How much later it may end, for all that is known; it counts for so much longer.</summary>
        public TimeSpan Slack { get; init; }

        /// <summary>Permits granted in it and not handed back.</summary>
        public int Granted { get; set; }

        /// <summary>Permits of it that the store knows of.</summary>
        public int Reserved { get; set; }
    }
}
