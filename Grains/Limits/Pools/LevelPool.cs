using Marketplace.Limits;

namespace Marketplace.Grains.Limits.Pools;

/// <summary>
/// Token bucket and concurrency: a level of free permits up to the capacity. A token that is spent comes back by refill, so many
/// a window; a concurrency permit comes back when its holder returns it, or when the holder's lease ends.
/// </summary>
/// <remarks>
/// <para><b>A token counts where it is spent.</b> <c>free + reserved + held &lt;= capacity</c> always, where <i>held</i> is what may
/// still be unspent in a holder's hand, and refill stops at that sum. So what is spent in an interval was held or free when it
/// began (at most the capacity) or came by refill during it: never more than capacity + rate × time, however late a leased
/// token is spent.</para>
/// <para><b>Leases and reservations end.</b> A lease lasts <see cref="LeaseLife"/> and is prolonged with every exchange; a
/// reservation lasts as long again from its write, and without a valid one nothing is granted or prolonged. So a successor
/// that finds a row knows that whatever its predecessor granted, and may still grant, is void two lives after the write; until
/// then all of it counts as held.</para>
/// </remarks>
internal sealed class LevelPool : PermitPool
{
    private static readonly TimeSpan ShortestLife = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestLife = TimeSpan.FromSeconds(12);

    private TimeSpan _refilledAt;
    private TimeSpan _reservedUntil = TimeSpan.MinValue;
    private TimeSpan _strangeUntil = TimeSpan.MinValue;
    private int _free;
    private int _reserved;
    private int _held;
    private int _strange; // held by somebody since before this activation

    private long _lot;

    public LevelPool(LimitPolicyOptions policy, long lot) : base(policy) => (_free, _lot) = (policy.Limit, lot);

    public override IReadOnlyList<long> Lots
    {
        get => [_lot];
        set => _lot = value.Count > 0 ? value[0] : _lot;
    }

    private bool Refills => Policy.Algorithm == LimitAlgorithm.TokenBucket;

    private int RefillPerWindow => Policy.Refill > 0 ? Policy.Refill : Policy.Limit;

    /// <summary>
    /// A token bucket's leases are short beside the time it takes to fill, since what a lost holder had stops the refill for so
    /// long; a concurrency permit's is what a lost frontend blocks.
    /// </summary>
    private TimeSpan LeaseLife => Refills
        ? TimeSpan.FromTicks(Math.Clamp(
            (long)(Policy.Window.Ticks * ((double)Policy.Limit / RefillPerWindow) / 4), ShortestLife.Ticks, LongestLife.Ticks))
        : LongestLife;

    public override int Free(TimeSpan now)
    {
        Advance(now);
        return Math.Min(_free + _reserved, Policy.Limit - _held - _strange);
    }

    public override int Grantable(TimeSpan now) => now < _reservedUntil ? Math.Max(0, Math.Min(Free(now), _reserved)) : 0;

    public override Reservation? Prepare(int count, bool renews, TimeSpan now)
    {
        Advance(now);
        var expired = now >= _reservedUntil;
        var missing = Math.Min((long)count, Free(now)) - _reserved;
        var taken = missing > 0 ? (int)Math.Min(_free, Math.Max(missing, Step)) : 0;
        return taken > 0 || (expired && renews) ? Write(now, taken) : null;
    }

    public override void Commit(Reservation reservation, TimeSpan slack = default)
    {
        _free -= reservation.Reserved;
        _reserved += reservation.Reserved;
        _reservedUntil = reservation.EndsAt;
    }

    public override (long Lot, TimeSpan EndsIn) Grant(int count, TimeSpan now)
    {
        _reserved -= count;
        _held += count;
        return (_lot, now < _reservedUntil ? LeaseLife : TimeSpan.Zero);
    }

    public override bool EndsWithLease => true;

    public override int See(int before, int after, int returned, ref int claimed, TimeSpan now)
    {
        Advance(now);
        if (after > before)
        {
            // Of an earlier activation. Tokens of that time are spent soon and void then. Permits in use go on, and are recognised;
            // but no more than that activation can have granted: it would be a permit out of nothing.
            var recognised = Refills ? 0 : Math.Min(after - before, _strange);
            _strange -= recognised;
            claimed += recognised;
            after = before + recognised;
        }

        _held += after - before;
        var back = Math.Max(0, before - after);
        back = Refills ? Math.Min(returned, back) : back;
        var strange = Math.Min(back, claimed);
        _strange += strange;
        claimed = Math.Min(claimed - strange, after);
        Credit(back - strange, toReserved: now < _reservedUntil);
        return after;
    }

    public override void End(int inHand, int claimed, TimeSpan now)
    {
        Advance(now);
        _held -= inHand;
        _strange += claimed;
        if (!Refills)
        {
            // Not to what is reserved: if there is another activation, the holder may have prolonged its lease there. Granting
            // these anew takes a write, which only one of the two can make.
            Credit(inHand - claimed, toReserved: false);
        }
    }

    public override int Resume(int inHand, TimeSpan now)
    {
        Advance(now);
        var resumed = Math.Min(inHand, _strange);
        _strange -= resumed;
        _held += resumed;
        return resumed;
    }

    public override bool Knows(long lot, TimeSpan now) => lot == _lot;

    public override TimeSpan ResetsIn(TimeSpan now) => Free(now) < Policy.Limit ? RetryIn(1, now) : TimeSpan.Zero;

    public override TimeSpan RetryIn(int missing, TimeSpan now)
    {
        Advance(now);
        return Refills ? _refilledAt + TimeFor(Math.Min(missing, Policy.Limit)) - now : LongestLife / 12;
    }

    public override Reservation Exact(TimeSpan now) => Write(now, -_reserved);

    public override void Restore(StoredPermits state, TimeSpan age, TimeSpan askedAt, TimeSpan now)
    {
        if (state.Level is not { } level)
        {
            Carry(state.Held, now);
            return;
        }

        // What nobody holds is free, where nothing refills: a row that says less is from another limit or algorithm.
        _strange = Math.Clamp(state.Held, 0, Policy.Limit);
        _free = Refills ? Math.Clamp(level, 0, Policy.Limit) : Policy.Limit - _strange;
        _strange = Math.Min(_strange, Policy.Limit - _free);
        _strangeUntil = now + state.Parts[0].EndsIn - age;
        _refilledAt = now - age;
        Advance(now);
    }

    public override void Carry(int used, TimeSpan now)
    {
        _strange = Math.Clamp(used, 0, Policy.Limit);
        _strangeUntil = now + (2 * LeaseLife);
        _free = Policy.Limit - _strange;
        _refilledAt = now;
    }

    public override void Adopt(LimitPolicyOptions policy)
    {
        // More tokens come by refill alone: else those that were spent could be had again when a limit is lowered and put back.
        var more = policy.Limit - Policy.Limit;
        _free = Math.Max(0, _free + (Refills ? Math.Min(0, more) : more));
        base.Adopt(policy);
        Trim();
    }

    private Reservation Write(TimeSpan now, int taken)
    {
        var life = 2 * LeaseLife;
        return new(
            new([(life, _reserved + taken + _held + _strange)], _free - taken),
            life + TimeToFill(),
            taken,
            now + LeaseLife,
            Opens: false);
    }

    /// <summary>What comes from a holder's hand is still held by the row: granting it again needs no write.</summary>
    private void Credit(int count, bool toReserved)
    {
        count = (int)Math.Clamp(count, 0, Math.Max(0, (long)Policy.Limit - _free - _reserved - _held - _strange));
        _reserved += toReserved ? count : 0;
        _free += toReserved ? 0 : count;
    }

    private void Advance(TimeSpan now)
    {
        if (_strange > 0 && now >= _strangeUntil)
        {
            Refill(_strangeUntil);
            _free += Refills ? 0 : _strange;
            _strange = 0;
        }

        Refill(now);
        if (_reserved > 0 && now >= _reservedUntil)
        {
            _free += _reserved; // never granted
            _reserved = 0;
        }

        Trim();
    }

    /// <summary>After the limit has been lowered there may be more than it allows.</summary>
    private void Trim()
    {
        var excess = Math.Max(0, (long)_free + _reserved + _held + _strange - Policy.Limit);
        var fromFree = (int)Math.Min(excess, _free);
        _free -= fromFree;
        _reserved -= (int)Math.Min(excess - fromFree, _reserved);
    }

    private void Refill(TimeSpan now)
    {
        if (!Refills || now <= _refilledAt)
        {
            return;
        }

        var tokens = (long)((Int128)(now - _refilledAt).Ticks * RefillPerWindow / Policy.Window.Ticks);
        var room = Math.Max(0, Policy.Limit - _free - _reserved - _held - _strange);
        if (tokens >= room)
        {
            _free += room;
            _refilledAt = now;
        }
        else
        {
            _free += (int)tokens;
            _refilledAt += TimeFor(tokens);
        }
    }

    /// <summary>Rounded up, so that a fraction is never given twice.</summary>
    private TimeSpan TimeFor(long tokens) =>
        TimeSpan.FromTicks((long)(((Int128)tokens * Policy.Window.Ticks + RefillPerWindow - 1) / RefillPerWindow));

    private TimeSpan TimeToFill() => Refills ? TimeFor(Policy.Limit) : TimeSpan.Zero;
}
