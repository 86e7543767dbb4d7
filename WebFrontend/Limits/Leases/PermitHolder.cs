using System.Diagnostics;
using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>
/// A frontend's side of the protocol with one bucket, without I/O: what it has in hand, what it asks for next, what it hands back,
/// and what it remembers of refusals. The bucket's side, and the argument for both, is in Grains/Limits/Bucket.cs.
/// </summary>
/// <remarks>
/// <para>One request is under way at a time and is repeated until it is answered; one return is under way at a time and is
/// repeated until it has been taken over, with every request besides.</para>
/// <para>Times are timestamps of the frontend's monotonic clock. A lease counts from the moment its request was <i>sent</i> the last
/// time, so it ends here no later than in the bucket.</para>
/// <para>Everything but spending from <see cref="Lot"/> is called under the limiter's lock.</para>
/// </remarks>
#pragma warning disable CA1001 // a lot is disposed of by the requests that spend it, and holds nothing
internal sealed partial class PermitHolder(BucketRateLimiter limiter, Guid id, TimeProvider clock, Func<long> nextNumber)
#pragma warning restore CA1001
{
    /// <summary>A lease that lasts this long needn't have been larger.</summary>
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(15);

    /// <summary>How much more is asked for when a lease was used up sooner.</summary>
    private const int Growth = 8;

    private const int SpareMax = 1 << 24;

    /// <summary>
    /// Whoever comes back may have so large a share of the limit at once: of a large limit that is much and saves the way up, and
    /// of a window that is mostly free nobody misses it.
    /// </summary>
    private const int LeastShare = 64;

    private Lot? _lot;
    private PermitRequest? _request;
    private PermitReturn _return;
    private bool _isReturning;
    private List<(long Lot, int Count)>? _loose; // unspent, of lots that are over
    private (long Round, long Answered)? _recall; // to be answered
    private long _seen;
    private bool _isLotReported; // the bucket has been told what is left of it
    private int _demand = 1;
    private long _demandSince;
    private long _spentBefore; // the last pause

    /// <summary>What can be spent; null when there is nothing.</summary>
    public Lot? Lot => _lot;

    /// <summary>The bucket's last answer, and when it came.</summary>
    public PermitGrant Last { get; private set; }

    public long LastAt { get; private set; }

    /// <summary>The bucket has nothing left, so what is given back here is needed elsewhere.</summary>
    public bool IsScarce { get; private set; }

    /// <summary>The request that has not been answered yet.</summary>
    public PermitRequest? Unanswered => _request;

    /// <summary>Permits that have been spent, net of those given back.</summary>
    public long Spent { get; private set; }

    /// <summary>Spends permits if there are enough that are still valid.</summary>
    public Lot? TrySpend(int permits, long now, int version)
    {
        if (_lot is not { } lot || now >= lot.ValidUntil || lot.Grant.PolicyVersion != version || lot.TrySpend(permits) < 0)
        {
            return null;
        }

        return lot;
    }

    /// <summary>The next message to the bucket, or the last one again if it has not been answered.</summary>
    /// <param name="wanted">Permits that are waited for.</param>
    /// <param name="wantsSpare">Whether to ask for more than that, for requests to come.</param>
    /// <param name="now">The time.</param>
    /// <param name="version">The policy's version, as far as is known here.</param>
    /// <param name="callback">Where the bucket asks for permits back.</param>
    /// <param name="least">The fewest permits that any of those who wait can do with.</param>
    public PermitRequest Request(int wanted, bool wantsSpare, long now, int version, IPermitHolder? callback, int least = 1)
    {
        LapseIfOver(now);
        if (_request is { } unanswered)
        {
            return unanswered;
        }

        RetireIfOver(now, version);
        PrepareReturn();
        var held = _lot?.Left ?? 0;
        wanted = Math.Max(0, wanted - held);
        var request = new PermitRequest(
            id, nextNumber(), wanted, wantsSpare ? Math.Max(0, Demand(now) - wanted) : 0, held + Loose + _inUse, _return, callback, least);
        _request = request;
        _isLotReported = true;
        return request;
    }

    /// <summary>Takes over the answer to the request.</summary>
    /// <returns>The permits that the bucket has taken back with it.</returns>
    public int Answered(in PermitGrant grant, long sentAt, long now)
    {
        LapseIfOver(sentAt);
        var request = _request ?? throw new UnreachableException("No request is under way.");
        _usedUntil = sentAt + Ticks(grant.EndsIn);
        _request = null;
        _seen = request.Sequence;
        _least = request.Least;
        var returned = Taken(request.Returned);
        (Last, LastAt) = (grant, now);
        IsScarce = grant.Remaining == 0;
        Volatile.Write(ref _refusal, RefusalAfter(grant, sentAt, now));

        if (_inUse > 0 && grant.InHand < (_lot?.Left ?? 0) + Loose + _inUse + grant.Granted)
        {
            // The lease ran out before it was prolonged: the bucket has given away what was in use and what was in hand.
            _lot?.TakeAll();
            _inUse = 0;
            UseEpoch++;
        }

        if (grant.Granted == 0 && _inUse == 0 && (_lot is null || _lot.Grant.Lot != grant.Lot))
        {
            return returned;
        }

        var kept = 0;
        if (_lot is { } old)
        {
            if (old.Grant.Lot == grant.Lot && now < old.ValidUntil && old.Grant.PolicyVersion == grant.PolicyVersion)
            {
                kept = old.TakeAll();
                Spent += old.Size - kept;
            }
            else
            {
                Retire(old, now);
            }
        }

        _lot = new(
            limiter, grant, kept + grant.Granted, sentAt + Ticks(grant.EndsIn), sentAt + Ticks(grant.CountsIn), now, clock);
        _isLotReported = false;
        if (request.Wanted + request.Spare > 0)
        {
            (_demand, _demandSince) = (Math.Clamp(Math.Max(kept + grant.Granted, request.Wanted), 1, SpareMax), now);
        }

        return returned;
    }

    /// <summary>The bucket asks for what is unspent.</summary>
    public void Recall(long round, long answered)
    {
        _recall = (round, answered); // a late repeat costs another hand-back, and nothing else
    }

    /// <summary>
    /// What to hand back now, if anything: all that is unspent when the bucket has asked for it or <paramref name="all"/> says so.
    /// The answer goes to <see cref="HandedBack"/>, and then there may be more.
    /// </summary>
    public PermitHandBack? HandBack(bool all, long now, int version)
    {
        var isRecalled = _recall is { } recall && !(_request is { } request && request.Sequence <= recall.Answered);
        if (_request is not null && !isRecalled)
        {
            return null; // with a request under way the bucket can't know what is in hand; returns go with the next one
        }

        LapseIfOver(now);
        RetireIfOver(now, version);
        if (!_isReturning && Loose == 0 && (all || isRecalled) && _lot is { Left: > 0 } lot)
        {
            RememberDemand(lot, isIdle: all && !isRecalled);
            Retire(lot, now);
            _lot = null;
        }

        IsScarce |= isRecalled;
        PrepareReturn();
        if (!_isReturning && !isRecalled)
        {
            return null;
        }

        _isLotReported = true;
        var isLast = Loose == 0 && _lot is not { Left: > 0 };
        return new(id, _return, (_lot?.Left ?? 0) + Loose + _inUse, isRecalled && isLast ? _recall!.Value.Round : 0, _seen);
    }

    /// <summary>Takes over the bucket's answer to a return. One that it didn't take goes with the next request.</summary>
    /// <returns>The permits that it has taken back.</returns>
    public int HandedBack(in PermitHandBack handBack, bool taken)
    {
        var returned = taken ? Taken(handBack.Returned) : 0;

        if (handBack.Round != 0 && handBack.Round == _recall?.Round)
        {
            _recall = null;
        }

        return returned;
    }

    /// <summary>The bucket has a return, which may have come to it twice; counts once.</summary>
    private int Taken(in PermitReturn taken)
    {
        if (!_isReturning || taken.Sequence != _return.Sequence)
        {
            return 0;
        }

        _isReturning = false;
        return taken.Count;
    }

    /// <summary>Takes back permits that were spent in vain, or that a request under a concurrency limit has done with.</summary>
    /// <param name="from">The lot they were spent from.</param>
    /// <param name="permits">How many.</param>
    /// <param name="algorithm">How they are counted.</param>
    /// <param name="useEpoch"><see cref="UseEpoch"/> as it was when they were taken for use; null if they were not taken for that.</param>
    /// <param name="now">The time.</param>
    /// <returns>Whether they should go back to the bucket at once.</returns>
    public bool GiveBack(Lot from, int permits, LimitAlgorithm algorithm, int? useEpoch, long now)
    {
        if (useEpoch is { } epoch) // by how they were taken: the policy may have changed since
        {
            if (epoch != UseEpoch)
            {
                return false; // its lease ran out: the bucket has given it away already
            }

            _inUse -= permits;
        }
        else if (algorithm == LimitAlgorithm.TokenBucket && !MayRefundToken(from, now))
        {
            return false;
        }

        Spent -= permits;
        if (_lot is { } current && current.Grant.Lot == from.Grant.Lot && now < current.ValidUntil)
        {
            current.Add(permits);
            Spent += permits; // the lot counts what is spent of it by what is left
        }
        else
        {
            Loosen(from.Grant.Lot, permits);
        }

        return IsScarce;
    }

    /// <summary>
    /// A token can be given back as long as the bucket has not heard that it was spent. From then on refill makes up for it, and
    /// giving it back too would be one too many.
    /// </summary>
    public bool MayRefundToken(Lot from, long now) => from == _lot && now < from.ValidUntil && !_isLotReported;

    /// <summary>Permits spent of the lot in hand.</summary>
    public long SpentOfLot => _lot is { } lot ? lot.Size - lot.Left : 0;

    /// <summary>Whether there is nothing to hand back and nothing to remember.</summary>
    public bool IsEmpty(long now) => _request is null && !_isReturning && Loose == 0 && _inUse == 0
        && _lot is not { Left: > 0 } && !(_refusal is { From: < int.MaxValue } refusal && now < refusal.Until);

    /// <summary>Moves what can't be spent any more out of the way.</summary>
    public void RetireIfOver(long now, int version)
    {
        if (_lot is { } lot && (now >= lot.ValidUntil || lot.Grant.PolicyVersion != version))
        {
            Retire(lot, now);
            _lot = null;
        }
    }

    private void Retire(Lot lot, long now)
    {
        var left = lot.TakeAll();
        Spent += lot.Size - left;
        if (left > 0 && now < lot.CountsUntil)
        {
            Loosen(lot.Grant.Lot, left);
        }
    }

    private int Loose => _loose?.Sum(loose => loose.Count) ?? 0;

    private void Loosen(long lot, int count)
    {
        _loose ??= new(1);
        var at = _loose.FindIndex(loose => loose.Lot == lot);
        if (at < 0)
        {
            _loose.Add((lot, count));
        }
        else
        {
            _loose[at] = (lot, _loose[at].Count + count);
        }
    }

    private void PrepareReturn()
    {
        if (!_isReturning && _loose is [.., var (lot, count)])
        {
            (_return, _isReturning) = (new(nextNumber(), count, lot), true);
            _loose.RemoveAt(_loose.Count - 1);
        }
        else if (!_isReturning)
        {
            _return = _return with { Count = 0 };
        }
    }

    /// <summary>
    /// The next lease is as large as what was needed: since the last pause, if this is one, so that a client that comes back gets what
    /// it used last time at once; else of this lot.
    /// </summary>
    private void RememberDemand(Lot lot, bool isIdle)
    {
        var spent = lot.Size - lot.Left;
        if (isIdle)
        {
            (spent, _spentBefore) = ((int)Math.Min(SpareMax, Spent + spent - _spentBefore), Spent + spent);
        }

        _demand = Math.Max(1, spent);
    }

    private int Demand(long now)
    {
        if (Last.Limit == 0)
        {
            return 1; // never heard of it
        }

        var tookLong = clock.GetElapsedTime(_demandSince, now) >= LongEnough;
        var demand = tookLong ? _demand : (long)_demand * Growth;
        return (int)Math.Min(SpareMax, Math.Max(demand, Last.Limit / LeastShare));
    }

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * clock.TimestampFrequency);
}
