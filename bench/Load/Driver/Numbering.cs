namespace Marketplace.Bench.Load.Driver;

/// <summary>How a message fits in with those of the same sender before it.</summary>
/// <param name="Skipped">Numbers that were jumped over by this one; they count as missed until they come.</param>
/// <param name="IsRepeat">It had come before.</param>
/// <param name="IsLate">It had been jumped over: it is not missed, but its order is broken.</param>
internal readonly record struct Arrival(long Skipped, bool IsRepeat, bool IsLate);

/// <summary>
/// One receiver's view of its senders: nothing missed, nothing twice, in order. The first message of a sender is where its
/// count begins here, so whoever wants to know that none is missing before it or after the last compares totals.
/// Not thread safe: messages of one connection come one after another.
/// </summary>
internal sealed class Numbering
{
    /// <summary>Gaps remembered per receiver; what is in one past it and comes after all is taken for a repeat.</summary>
    private const int SkippedMax = 10_000;

    private readonly Dictionary<int, long> _last = [];
    private HashSet<(int Sender, long Number)>? _skipped;

    /// <summary>What was jumped over and hasn't come.</summary>
    public IReadOnlyList<(int Sender, long Number)> Missed => _skipped is null ? [] : [.. _skipped];

    public Arrival Take(int sender, long number)
    {
        if (!_last.TryGetValue(sender, out var last))
        {
            _last.Add(sender, number);
            return default;
        }

        if (number <= last)
        {
            var isLate = _skipped?.Remove((sender, number)) == true;
            return new(0, IsRepeat: !isLate, isLate);
        }

        _last[sender] = number;
        for (var skipped = last + 1; skipped < number && (_skipped ??= []).Count < SkippedMax; skipped++)
        {
            _skipped.Add((sender, skipped));
        }

        return new(number - last - 1, IsRepeat: false, IsLate: false);
    }
}
