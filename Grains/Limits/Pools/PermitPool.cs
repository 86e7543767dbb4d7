using Marketplace.Limits;

namespace Marketplace.Grains.Limits.Pools;

/// <summary>
/// How many permits there are, without I/O and without knowing who holds them: one algorithm each. A permit is *free*, *granted*
/// (leased to a holder, which may have spent it) or, in between, *reserved*: persisted as if granted, and free to be granted
/// without another write. Time is the elapsed time of the activation's monotonic clock.
/// </summary>
internal abstract class PermitPool(LimitPolicyOptions policy)
{
    /// <summary>Eight writes use up a limit, and a crash costs at most an eighth of it.</summary>
    private const int StepsPerLimit = 8;

    public LimitPolicyOptions Policy { get; protected set; } = policy;

    /// <summary>Permits reserved ahead with each write, and the most that one holder has in hand beyond what it asked for.</summary>
    public int Step => Math.Max(1, Policy.Limit / StepsPerLimit);

    /// <summary>Permits that are not granted; negative when the limit has been lowered below what is.</summary>
    public abstract int Free(TimeSpan now);

    /// <summary>Of those, what may be granted without a write.</summary>
    public abstract int Grantable(TimeSpan now);

    /// <summary>The write that is needed before <paramref name="count"/> permits can be granted, or null if none helps.</summary>
    /// <param name="count">Permits to be granted.</param>
    /// <param name="renews">Whether leases that run are to be prolonged.</param>
    /// <param name="now">The time.</param>
    public abstract Reservation? Prepare(int count, bool renews, TimeSpan now);

    /// <summary>Takes over a write that has been acknowledged.</summary>
    /// <param name="reservation">What was written.</param>
    /// <param name="slack">
    /// For a bucket's first write, how long it took: until it was carried out another activation's row may have counted.
    /// </param>
    public abstract void Commit(Reservation reservation, TimeSpan slack = default);

    /// <summary>Grants up to <see cref="Grantable"/>; 0 prolongs what is held where the algorithm does so.</summary>
    /// <returns>The lot they belong to and how long they may be spent.</returns>
    public abstract (long Lot, TimeSpan EndsIn) Grant(int count, TimeSpan now);

    /// <summary>Whether what a holder has in hand is void when its lease ends; else it can still be handed back.</summary>
    public virtual bool EndsWithLease => false;

    /// <summary>How long a lot counts after its lease has ended.</summary>
    public virtual TimeSpan CountsAfterwards => TimeSpan.Zero;

    /// <summary>Names of the lots that count, in the order of the row's parts; another activation may go on under them.</summary>
    public virtual IReadOnlyList<long> Lots { get; set; } = [];

    /// <summary>Takes back unspent permits of a lot; whoever calls has made sure that they were granted in it.</summary>
    public virtual void TakeBack(long lot, int count)
    {
    }

    /// <summary>Takes note of what a holder has in hand.</summary>
    /// <param name="before">What it had as far as was known.</param>
    /// <param name="after">What it has now.</param>
    /// <param name="returned">What it handed back in between.</param>
    /// <param name="claimed">What it has, of that, from an earlier activation of this bucket.</param>
    /// <param name="now">The time.</param>
    /// <returns>What to believe it has now.</returns>
    public virtual int See(int before, int after, int returned, ref int claimed, TimeSpan now) => after;

    /// <summary>Takes note that a lease has ended with so many in hand, some of them from an earlier activation.</summary>
    public virtual void End(int inHand, int claimed, TimeSpan now)
    {
    }

    /// <summary>
    /// Takes note of what a holder had in hand when a predecessor handed over: that is gone for certain, so what it granted counts as
    /// granted here.
    /// </summary>
    /// <returns>What to believe the holder has now.</returns>
    public virtual int Resume(int inHand, TimeSpan now) => inHand;

    /// <summary>Whether permits of a lot still count.</summary>
    public abstract bool Knows(long lot, TimeSpan now);

    /// <summary>Time until more permits come back than are free now; zero when all are.</summary>
    public abstract TimeSpan ResetsIn(TimeSpan now);

    /// <summary>Time until so many permits more than were granted can have come back by themselves.</summary>
    public abstract TimeSpan RetryIn(int missing, TimeSpan now);

    /// <summary>The write that says what was granted and no more: for a bucket that is about to leave memory.</summary>
    public abstract Reservation Exact(TimeSpan now);

    /// <summary>Takes over what an earlier activation left in the store, as if all it reserved had been granted.</summary>
    /// <param name="state">What was written.</param>
    /// <param name="age">Time since it was written, by the store's clock.</param>
    /// <param name="askedAt">When the store was asked: it measured the age between then and now.</param>
    /// <param name="now">The time.</param>
    public abstract void Restore(StoredPermits state, TimeSpan age, TimeSpan askedAt, TimeSpan now);

    /// <summary>Starts from what another algorithm counted.</summary>
    public abstract void Carry(int used, TimeSpan now);

    /// <summary>Goes on under other settings of the same algorithm, with the same counts.</summary>
    public virtual void Adopt(LimitPolicyOptions policy) => Policy = policy;

    /// <summary>The pool that a policy asks for.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="lot">Names this activation's lots: random, so that no other activation's are taken for its own.</param>
    public static PermitPool For(LimitPolicyOptions policy, long lot) => policy.Algorithm switch
    {
        LimitAlgorithm.FixedWindow or LimitAlgorithm.SlidingWindow => new WindowPool(policy, lot),
        _ => new LevelPool(policy, lot),
    };
}

/// <summary>A write that has to be acknowledged before a bucket may go on.</summary>
/// <param name="State">What the row says from then on.</param>
/// <param name="Life">How long the row matters.</param>
/// <param name="Reserved">What it reserves for the current segment (windows), or takes from the level.</param>
/// <param name="EndsAt">End of the segment that it opens, or of the reservation.</param>
/// <param name="Opens">Whether it opens a segment.</param>
internal sealed record Reservation(StoredPermits State, TimeSpan Life, int Reserved, TimeSpan EndsAt, bool Opens);
