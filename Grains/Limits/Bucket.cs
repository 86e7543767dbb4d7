using Marketplace.Grains.Limits.Pools;
using Marketplace.Limits;

namespace Marketplace.Grains.Limits;

/// <summary>
/// The rule of one bucket, without I/O: who gets how many permits, what must be persisted first, and who is asked for permits
/// back before anybody is refused.
/// </summary>
/// <remarks>
/// <para>A permit's way: it is <b>free</b> in the pool; <b>reserved</b>, once the store has been told that it may have been
/// granted; <b>granted</b> to a holder (a frontend), which has a lease on it; and then spent on a request, or handed back.</para>
/// <para><b>1. Never over.</b> What may be granted is persisted before it is granted (Hi-Lo), and the row's etag lets one writer
/// through. A bucket that starts from a row counts all that is reserved there as granted. A predecessor that still runs may
/// grant up to the reservation it wrote and no further, since its next write meets another etag: so the grants of all activations
/// lie in disjoint reservations whose sum is at most the limit. What a crash costs is what was reserved and not granted, at most
/// one step; what the crash of a frontend costs is what it had in hand, at most one step too.</para>
/// <para><b>2. Counted where it is spent.</b> Each lease ends, on the holder no later than here, and the pools count a permit for as
/// long as its lease may be spent and for the window after that. The arguments are theirs: <see cref="WindowPool"/>,
/// <see cref="LevelPool"/>.</para>
/// <para><b>3. Nothing is granted twice.</b> A holder numbers its requests and repeats one until it is answered. A repeat of the last
/// request gets the answer it got; an older one gets nothing.</para>
/// <para><b>4. Nothing is returned twice.</b> Returns have numbers of their own, and one message more carries the last number
/// always: a late repeat is known by it. Nobody returns more than it was granted in that lot, and a lot's name is random for every
/// activation, so that a return counts with the activation that granted it and with no other.</para>
/// <para><b>5. Exact.</b> While all live, nobody is refused while another holds an unspent permit: before a bucket grants less than
/// is wanted it recalls from everyone who may have some. The recall names the last request that was answered, so that a holder
/// whose answer is still under way waits for it and hands that back too. A holder that doesn't answer in time is passed over
/// until it speaks again (<see cref="SilentHolders"/>). When permits come back after a refusal, those who were refused are told.</para>
/// </remarks>
/// <param name="pool">The permits.</param>
/// <param name="policyVersion">The version of the policy that they are under.</param>
/// <param name="rounds">Where recalls are numbered from: random, so that no answer to another activation is taken for one to this.</param>
internal sealed partial class Bucket(PermitPool pool, int policyVersion, long rounds)
{
    /// <summary>Longer than any holder repeats a request.</summary>
    private static readonly TimeSpan RememberedFor = TimeSpan.FromMinutes(1);

    /// <summary>
    /// Longer than a request that was refused is repeated, unless <c>Limits:Deadline</c> is above its default. One that comes later
    /// still is answered anew: nothing was granted that could be granted twice.
    /// </summary>
    private static readonly TimeSpan RefusedRememberedFor = TimeSpan.FromSeconds(5);

    private readonly Dictionary<Guid, BucketHolder> _holders = [];
    private readonly HashSet<Guid> _refused = [];
    private long _round = rounds;

    public PermitPool Pool { get; private set; } = pool;

    public int PolicyVersion { get; private set; } = policyVersion;

    /// <summary>Goes on under a changed policy with the counts kept; leases of the old version are void once holders hear of it.</summary>
    public void Adopt(LimitPolicyOptions policy, int version, long lot, TimeSpan now)
    {
        if (policy.Algorithm == Pool.Policy.Algorithm)
        {
            Pool.Adopt(policy);
        }
        else
        {
            var counts = PermitPool.For(policy, lot);
            counts.Carry(Math.Max(0, Pool.Policy.Limit - Pool.Free(now)), now);
            Pool = counts;
            foreach (var holder in _holders.Values)
            {
                holder.InHand = holder.Claimed = 0; // the new pool counts it as used
            }
        }

        PolicyVersion = version;
    }

    /// <summary>
    /// Takes over what a request says of its holder; comes before everything else that is done for it, since permits may come back
    /// with it.
    /// </summary>
    public void Hear(in PermitRequest request, TimeSpan now)
    {
        DropStrangers(now);
        if (IsRepeat(request))
        {
            return;
        }

        var holder = HolderOf(request.Holder);
        holder.AnsweredAt = now;
        holder.Callback = request.Callback ?? holder.Callback;
        Report(holder, request.Returned, request.Held, now);
        holder.EndsAt = TimeSpan.MaxValue; // prolonged with the answer, which may have to wait for a write and a recall
    }

    /// <summary>What must be persisted before <paramref name="request"/> can be answered as well as it can be, or null.</summary>
    public Reservation? Prepare(in PermitRequest request, TimeSpan now) => IsRepeat(request)
        ? null
        : Pool.Prepare(WantedOf(request) + SpareFor(request, now), renews: request.Held > 0, now);

    /// <summary>Whether the request will be granted less than it wants while others hold permits that could be recalled.</summary>
    public bool IsShortOf(in PermitRequest request, TimeSpan now) =>
        !IsRepeat(request) && WantedOf(request) > Pool.Grantable(now) && WantedOf(request) > Pool.Free(now);

    /// <summary>Takes permits back.</summary>
    /// <returns>
    /// False when the holder doesn't know yet what it was granted last, so that what it says it has can't be relied on: the return
    /// is to be repeated with the next request.
    /// </returns>
    public bool TryHandBack(in PermitHandBack handBack, TimeSpan now)
    {
        if (!_holders.TryGetValue(handBack.Holder, out var holder))
        {
            return true;
        }

        holder.Answered = handBack.Round != 0 ? handBack.Round : holder.Answered;
        if (handBack.Seen != holder.Sequence)
        {
            return false;
        }

        Report(holder, handBack.Returned, handBack.Held, now);
        return true;
    }

    /// <summary>Answers from what is reserved.</summary>
    public PermitGrant Answer(in PermitRequest request, TimeSpan now)
    {
        if (IsRepeat(request))
        {
            var known = _holders[request.Holder];
            return request.Sequence == known.Sequence && Pool.Knows(known.LastGrant.Lot, now)
                ? known.LastGrant with
                {
                    EndsIn = known.LastGrant.EndsIn - (now - known.AnsweredAt),
                    CountsIn = known.LastGrant.CountsIn - (now - known.AnsweredAt),
                }
                : Grant(0, 0, TimeSpan.Zero, known.InHand, missing: 0, now);
        }

        var holder = HolderOf(request.Holder);
        var wanted = WantedOf(request);
        var granted = Math.Min(wanted + SpareFor(request, now), Pool.Grantable(now));
        var (lot, endsIn) = Pool.Grant(granted, now);
        holder.Add(lot, granted);
        holder.InHand += granted;
        holder.EndsAt = now + endsIn;
        holder.Sequence = request.Sequence;
        holder.AnsweredAt = now;
        holder.LastGrant = Grant(granted, lot, endsIn, holder.InHand, granted < wanted ? MissingOf(request, granted) : 0, now);
        if (granted < wanted)
        {
            _refused.Add(request.Holder);
        }

        return holder.LastGrant;
    }

    public BucketView View(TimeSpan now)
    {
        Settle(now);
        return new(
            Pool.Policy.Limit,
            Pool.Policy.Limit - Pool.Free(now),
            _holders.Values.Sum(holder => holder.InHand),
            _holders.Values.Count(holder => holder.InHand > 0),
            Math.Max(0, Pool.Free(now)),
            Pool.ResetsIn(now),
            PolicyVersion);
    }

    private static int WantedOf(in PermitRequest request) => Math.Clamp(request.Wanted, 0, LimitsOptions.MaxPermitsPerRequest);

    /// <summary>
    /// What the next of those who wait needs beyond what the holder will have in hand when it has served all it can. Where they need
    /// different numbers it is the fewest that counts: a refusal is remembered, and mustn't refuse anybody for too long.
    /// </summary>
    private static int MissingOf(in PermitRequest request, int granted)
    {
        var least = Math.Clamp(request.Least, 1, LimitsOptions.MaxPermitsPerRequest);
        return least - (int)((Math.Max(0L, request.Held) + granted) % least);
    }

    /// <summary>
    /// What to grant beyond what is wanted: as the holder's demand goes, at most a step in hand, and no more than its share of
    /// what is left, so that leases shrink to single permits as the bucket empties between several holders.
    /// </summary>
    private int SpareFor(in PermitRequest request, TimeSpan now)
    {
        var left = Pool.Free(now) - WantedOf(request);
        if (request.Spare <= 0 || left <= 0)
        {
            return 0;
        }

        var sharers = 1;
        foreach (var (id, holder) in _holders)
        {
            sharers += holder.InHand > 0 && id != request.Holder ? 1 : 0;
        }

        return Math.Max(0, Math.Min(request.Spare, Math.Min(Pool.Step - Math.Max(0, request.Held), left / sharers)));
    }

    private bool IsRepeat(in PermitRequest request) =>
        _holders.TryGetValue(request.Holder, out var holder) && request.Sequence <= holder.Sequence;

    private BucketHolder HolderOf(Guid id)
    {
        if (!_holders.TryGetValue(id, out var holder))
        {
            _holders.Add(id, holder = new());
        }

        return holder;
    }

    /// <summary>Takes over what a holder hands back, once, and what it says it has: the rest of what it had has been spent.</summary>
    private void Report(BucketHolder holder, in PermitReturn returned, int held, TimeSpan now)
    {
        Settle(now);
        var count = 0;
        if (returned.Sequence > holder.Returned)
        {
            holder.Returned = returned.Sequence;
            count = holder.Remove(returned.Lot, returned.Count);
            Pool.TakeBack(returned.Lot, count);
        }

        var claimed = holder.Claimed;
        var inHand = Pool.See(holder.InHand, Math.Clamp(held, 0, LimitsOptions.MaxPermitsPerRequest), count, ref claimed, now);
        holder.Claimed = claimed;
        holder.InHand = Pool.EndsWithLease ? inHand : Math.Min(inHand, holder.InLots);
    }

    /// <summary>
    /// Forgets what can no longer be spent or handed back. Leases end one after the other, each at its time: permits come back from
    /// then on, and not from when somebody looks.
    /// </summary>
    private void Settle(TimeSpan now)
    {
        foreach (var holder in _holders.Values)
        {
            holder.Forget(Pool, now);
        }

        while (Pool.EndsWithLease
            && _holders.Values.Where(holder => holder.InHand > 0 && holder.EndsAt <= now).MinBy(holder => holder.EndsAt) is { } ended)
        {
            Pool.End(ended.InHand, ended.Claimed, ended.EndsAt);
            ended.InHand = ended.Claimed = 0;
        }
    }

    /// <summary>
    /// Holders that have nothing and have not asked for long: frontends come and go. One that has no callback and was refused has
    /// most likely been made for that request, and a flood makes many.
    /// </summary>
    private void DropStrangers(TimeSpan now)
    {
        Settle(now);
        foreach (var (id, holder) in _holders)
        {
            var wasRefused = holder is { Callback: null, MayHave: false, LastGrant.Granted: 0 };
            if (holder.InHand == 0 && (Pool.EndsWithLease || !holder.MayHave)
                && now - holder.AnsweredAt > (wasRefused ? RefusedRememberedFor : RememberedFor))
            {
                _holders.Remove(id);
                _refused.Remove(id);
            }
        }
    }

    private PermitGrant Grant(int granted, long lot, TimeSpan endsIn, int inHand, int missing, TimeSpan now) => new(
        granted,
        lot,
        endsIn,
        endsIn + Pool.CountsAfterwards,
        Pool.ResetsIn(now),
        missing > 0 ? Pool.RetryIn(missing, now) : TimeSpan.Zero,
        Math.Max(0, Pool.Free(now)),
        Pool.Policy.Limit,
        Pool.Policy.Window,
        PolicyVersion,
        inHand);
}
