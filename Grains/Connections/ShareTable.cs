using Marketplace.Connections;
using Marketplace.Frontends;

namespace Marketplace.Grains.Connections;

/// <summary>
/// Who holds how much of the total. A frontend's last word on what it holds is the truth, since it never counts itself more
/// than it was told; the table may think it holds more (an answer was lost, the table was read from storage), never less.
/// </summary>
internal sealed class ShareTable
{
    /// <summary>What a frontend gets ahead of its need while there is plenty: connections between two calls.</summary>
    public const int LargestBlock = 64;

    private readonly SortedDictionary<long, Share> _shares = [];

    public ShareTable(ConnectionTotalState stored)
    {
        foreach (var share in stored.Shares)
        {
            _shares[share.Epoch] = new(share.Held, share.Sequence);
        }
    }

    public IEnumerable<ConnectionShare> Shares => _shares.Select(s => new ConnectionShare(s.Key, s.Value.Held));

    /// <summary>Drops the shares whose leases have ended.</summary>
    public void Prune(FrontendEpochs epochs)
    {
        foreach (var epoch in _shares.Keys.Where(epochs.IsVoid).ToList())
        {
            _shares.Remove(epoch);
        }
    }

    /// <summary>Takes in a frontend's word and grants what can be granted.</summary>
    /// <param name="request">Under a lease that runs.</param>
    /// <param name="total">The connections of the whole cluster.</param>
    /// <param name="frontends">How many leases run.</param>
    /// <param name="othersWait">Somebody waits for what is handed back: nobody gets more than is needed at once.</param>
    /// <returns>The answer, and whether it grants anything: then it counts only once the table is stored.</returns>
    public (ShareAnswer Answer, bool Grants) Exchange(ShareRequest request, int total, int frontends, bool othersWait)
    {
        var known = _shares.GetValueOrDefault(request.Epoch);
        if (request.Sequence <= known.Sequence)
        {
            return (Answer(known.Held, total, frontends), Grants: false); // late: nobody waits for this answer
        }

        _shares[request.Epoch] = new(Math.Clamp(request.Held, 0, known.Held), request.Sequence);
        return Grant(request, total, frontends, othersWait);
    }

    /// <summary>Grants once more upon a request that was taken in before: others may have handed something back since.</summary>
    public (ShareAnswer Answer, bool Grants) Grant(ShareRequest request, int total, int frontends, bool othersWait)
    {
        var known = _shares.GetValueOrDefault(request.Epoch);
        var granted = 0;
        if (request.Sequence == known.Sequence && request.Wanted > known.Held)
        {
            // Near the end a block is one connection, so that no frontend sits on what another needs.
            var free = Free(total);
            var block = othersWait ? 1 : Math.Clamp(free / (2 * Math.Max(1, frontends)), 1, LargestBlock);
            granted = Math.Clamp(Math.Max(request.Wanted - known.Held, block), 0, free);
            _shares[request.Epoch] = known with { Held = known.Held + granted };
        }

        return (Answer(known.Held + granted, total, frontends), granted > 0);
    }

    public ConnectionTotalState ToState() => new()
    {
        Shares = [.. _shares.Where(s => s.Value.Held > 0).Select(s =>
            new StoredShare { Epoch = s.Key, Held = s.Value.Held, Sequence = s.Value.Sequence })],
    };

    private ShareAnswer Answer(int held, int total, int frontends)
    {
        // So little is left that what some hold unused may be what others are refused for.
        var left = Left(total);
        return new(held, IsScarce: left < 2 * Math.Max(1, frontends), IsOver: left < 0);
    }

    private int Free(int total) => (int)Math.Max(0, Left(total));

    /// <summary>Negative when an operator lowered the total below what is held.</summary>
    private long Left(int total) => total - _shares.Values.Sum(share => (long)share.Held);

    private readonly record struct Share(int Held, long Sequence);
}
