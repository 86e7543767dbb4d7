namespace Cluster.Tests.Limits.Storm;

/// <summary>
/// A random history of a limiter that keeps its promises, with all that makes it look odd from outside: windows that a crash
/// has prolonged, permits that it has cost, answers that come late or never, what is told rounded up and sometimes too long.
/// </summary>
internal sealed class RightLimiter
{
    private readonly Random _random;
    private readonly TimeSpan _window;

    public RightLimiter(int seed, int limit, TimeSpan window)
    {
        (_random, _window) = (new Random(seed), window);
        var now = FirstSentAt = Seconds(0, 5);
        for (var k = 0; k < 12; k++)
        {
            var start = now;
            var isPlain = _random.Next(4) > 0;
            var end = start + window + (isPlain ? TimeSpan.Zero : Seconds(0, 15));
            var permits = isPlain ? limit : _random.Next(limit + 1);
            var decisions = Enumerable.Range(0, permits).Select(i => start + (i == 0 ? TimeSpan.Zero : Seconds(0, 0.8 * window.TotalSeconds)));
            var lostUntil = start + (isPlain ? TimeSpan.Zero : Seconds(0, 30));
            var seen = decisions.Where(decided => decided >= lostUntil).Select(decided => See(decided, end, isPlain)).ToList();
            Admissions.AddRange(seen);
            if (seen.Count == limit)
            {
                FullWindows.Add(seen.OrderBy(admission => admission.SentAt).ElementAt(limit / 2));
            }

            now = end + Seconds(0, isPlain ? 0.5 : 10);
        }
    }

    public TimeSpan FirstSentAt { get; }

    public List<Admission> Admissions { get; } = [];

    /// <summary>One admission from the middle of each window that was full.</summary>
    public List<Admission> FullWindows { get; } = [];

    private Admission See(TimeSpan decided, TimeSpan end, bool isPlain)
    {
        var sent = TimeSpan.FromTicks(Math.Max(FirstSentAt.Ticks, (decided - Seconds(0, isPlain ? 0.02 : 3)).Ticks));
        var answered = decided + Seconds(0, isPlain ? 0.02 : 5);
        var told = TimeSpan.FromSeconds(Math.Ceiling((end - decided + Seconds(0, isPlain ? 0.01 : 5)).TotalSeconds));
        return new(sent, answered, _random.Next(20) == 0 || told > 2 * _window ? null : told);
    }

    private TimeSpan Seconds(double least, double most) => TimeSpan.FromSeconds(least + (_random.NextDouble() * (most - least)));
}
