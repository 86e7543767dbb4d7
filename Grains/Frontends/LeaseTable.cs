using Marketplace.Frontends;

namespace Marketplace.Grains.Frontends;

/// <summary>
/// The leases as one activation knows them: a value with no I/O, on the activation's own monotonic time. A lease whose term
/// is over is not void yet; <see cref="End"/> makes it so, which takes a look at the row (see <see cref="Ownership"/>).
/// </summary>
internal sealed class LeaseTable
{
    /// <summary>A bound, not a target: a frontend that crashes in a loop leaves a lease each time, for one term.</summary>
    public const int MaxLeases = 1_000;

    private readonly TimeSpan _term;
    private readonly SortedDictionary<long, Lease> _leases = [];

    public LeaseTable(TimeSpan term, FrontendLeasesState stored, TimeSpan now, TimeSpan grace)
    {
        _term = term;
        NextEpoch = StoredNextEpoch = stored.NextEpoch;
        foreach (var lease in stored.Leases)
        {
            // What the activation before this one granted last isn't known: as if all had just been renewed.
            _leases[lease.Epoch] = new Lease(lease.Name, now + term + grace);
        }
    }

    /// <summary>The next epoch to give out; only ever grows.</summary>
    public long NextEpoch { get; private set; }

    /// <summary>
    /// Epochs from here on may yet be given out by another activation, which knows nothing of those that were given out in
    /// memory and could not be stored: nothing may be said of them.
    /// </summary>
    public long StoredNextEpoch { get; private set; }

    public bool IsFull => _leases.Count >= MaxLeases;

    /// <summary>What may be told to others.</summary>
    public FrontendEpochs Epochs => new(StoredNextEpoch, [.. _leases.Keys]);

    /// <summary>Starts a lease and returns its epoch.</summary>
    public long Register(string name, TimeSpan now)
    {
        var epoch = NextEpoch++;
        _leases[epoch] = new Lease(name, now + _term);
        return epoch;
    }

    /// <summary>Extends a lease by a full term; false if it is void.</summary>
    public bool Renew(long epoch, TimeSpan now)
    {
        if (!_leases.TryGetValue(epoch, out var lease))
        {
            return false;
        }

        // Just after a start the end that was assumed is later than a term from now, and must not come nearer: the
        // activation before this one may still have answered a renewal that was sent after this one.
        _leases[epoch] = lease with { EndsAt = Max(lease.EndsAt, now + _term) };
        return true;
    }

    /// <summary>Makes a lease void at its holder's word; false if it is already.</summary>
    public bool Release(long epoch) => _leases.Remove(epoch);

    /// <summary>Makes void the leases whose terms were over at a moment when nobody else can have extended them.</summary>
    public IReadOnlyList<(long Epoch, string Name)> End(TimeSpan confirmedAt)
    {
        var over = _leases.Where(l => l.Value.EndsAt <= confirmedAt).Select(l => (l.Key, l.Value.Name)).ToList();
        over.ForEach(lease => _leases.Remove(lease.Key));
        return over;
    }

    public IEnumerable<(long Epoch, string Name, TimeSpan Remaining)> List(TimeSpan now) =>
        _leases.Select(l => (l.Key, l.Value.Name, Max(l.Value.EndsAt - now, TimeSpan.Zero)));

    /// <summary>What has to be stored before it is answered for.</summary>
    public FrontendLeasesState ToState() => new()
    {
        NextEpoch = NextEpoch,
        Leases = [.. _leases.Select(l => new StoredLease { Epoch = l.Key, Name = l.Value.Name })],
    };

    /// <summary>Notes what has been stored.</summary>
    public void Stored(FrontendLeasesState stored) => StoredNextEpoch = Math.Max(StoredNextEpoch, stored.NextEpoch);

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private readonly record struct Lease(string Name, TimeSpan EndsAt);
}
