using System.Collections.Concurrent;

namespace Marketplace.Bench.Load.Driver;

/// <summary>What happened to a crowd so far; counts are added to by many threads.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _refused = new(StringComparer.Ordinal);
    private int _live;
    private long _opened;
    private long _broken;
    private long _lost;
    private long _returned;
    private long _reloaded;
    private long _sent;
    private long _answered;
    private long _failed;
    private long _delivered;
    private long _echoed;
    private long _missed;
    private long _repeated;
    private long _late;

    public Latencies Connecting { get; } = new();

    public Latencies Delivery { get; } = new();

    public Latencies Answering { get; } = new();

    public Latencies Returning { get; } = new();

    public int Live => Volatile.Read(ref _live);

    public void Opened(TimeSpan after)
    {
        Interlocked.Increment(ref _opened);
        Interlocked.Increment(ref _live);
        Connecting.Record(after);
    }

    public void Refused(string answer) => _refused.AddOrUpdate(answer, 1, (_, count) => count + 1);

    /// <summary>It broke before it could be used.</summary>
    public void Broke() => Interlocked.Increment(ref _broken);

    public void Lost()
    {
        Interlocked.Increment(ref _lost);
        Interlocked.Decrement(ref _live);
    }

    public void Closed() => Interlocked.Decrement(ref _live);

    /// <summary>A connection that was lost is back, in its room again.</summary>
    public void Returned(TimeSpan after)
    {
        Interlocked.Increment(ref _returned);
        Returning.Record(after);
    }

    /// <summary>One that is back was told that what it missed is kept no longer.</summary>
    public void Reloaded() => Interlocked.Increment(ref _reloaded);

    public void Sent() => Interlocked.Increment(ref _sent);

    public void Answered(bool isError, TimeSpan after)
    {
        Interlocked.Increment(ref isError ? ref _failed : ref _answered);
        Answering.Record(after);
    }

    /// <param name="isEcho">A message that came back to its sender; how long that took is no delivery.</param>
    /// <param name="arrival">How it fits in with those before.</param>
    /// <param name="after">Since it was sent.</param>
    public void Received(bool isEcho, Arrival arrival, TimeSpan after)
    {
        if (arrival.IsRepeat)
        {
            Interlocked.Increment(ref _repeated);
            return;
        }

        Interlocked.Add(ref _missed, arrival.Skipped - (arrival.IsLate ? 1 : 0));
        if (arrival.IsLate)
        {
            Interlocked.Increment(ref _late);
        }

        Interlocked.Increment(ref isEcho ? ref _echoed : ref _delivered);
        if (!isEcho)
        {
            Delivery.Record(after);
        }
    }

    /// <param name="forgets">Whether what is reported is forgotten, so that the next report begins anew.</param>
    public CrowdReport Report(bool forgets)
    {
        var report = new CrowdReport
        {
            Live = Live,
            Opened = Read(ref _opened),
            Broken = Read(ref _broken),
            Lost = Read(ref _lost),
            Returned = Read(ref _returned),
            Reloaded = Read(ref _reloaded),
            Sent = Read(ref _sent),
            Answered = Read(ref _answered),
            Failed = Read(ref _failed),
            Delivered = Read(ref _delivered),
            Echoed = Read(ref _echoed),
            Missed = Read(ref _missed),
            Repeated = Read(ref _repeated),
            Late = Read(ref _late),
            Refused = new Dictionary<string, int>(_refused),
            Connecting = Connecting.Read(forgets),
            Delivery = Delivery.Read(forgets),
            Answering = Answering.Read(forgets),
            Returning = Returning.Read(forgets),
        };
        if (forgets)
        {
            _refused.Clear();
        }

        return report;

        long Read(ref long count) => forgets ? Interlocked.Exchange(ref count, 0) : Volatile.Read(ref count);
    }
}
