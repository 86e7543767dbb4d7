namespace Marketplace.Grains.Frontends;

/// <summary>
/// Whether an activation may still speak for the leases: it has seen its own name in the row since it was last paused, and
/// never another's. On the activation's monotonic time.
/// </summary>
internal sealed class Ownership(TimeSpan now)
{
    /// <summary>How often the row is looked at.</summary>
    public static readonly TimeSpan ConfirmEvery = TimeSpan.FromSeconds(1);

    /// <summary>How often the process proves to itself that it runs.</summary>
    public static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(0.5);

    /// <summary>A longer silence than this counts as a pause.</summary>
    public static readonly TimeSpan PauseAfter = TimeSpan.FromSeconds(2);

    /// <summary>How old the last look at the row can be at a renewal, while PostgreSQL answers.</summary>
    public static readonly TimeSpan Grace = ConfirmEvery + PauseAfter;

    private TimeSpan _confirmedAt = now;
    private TimeSpan _lastBeat = now;
    private TimeSpan _resumedAt = now;
    private bool _isLost;

    /// <summary>Notes that the process runs; every turn does so too, since a turn may come before the timer after a pause.</summary>
    public void Beat(TimeSpan now)
    {
        if (now - _lastBeat > PauseAfter)
        {
            _resumedAt = now;
        }

        _lastBeat = now;
    }

    /// <summary>The row, read by a statement sent at <paramref name="askedAt"/>, bears this activation's name.</summary>
    public void Confirm(TimeSpan askedAt) => _confirmedAt = askedAt > _confirmedAt ? askedAt : _confirmedAt;

    /// <summary>The row bears another's name: for good.</summary>
    public void Lose() => _isLost = true;

    /// <summary>Whether leases may be extended at <paramref name="now"/>.</summary>
    public bool MayRenew(TimeSpan now)
    {
        Beat(now);
        return !_isLost && _confirmedAt >= _resumedAt;
    }
}
