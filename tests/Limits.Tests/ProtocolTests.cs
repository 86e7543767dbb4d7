using System.Globalization;
using Marketplace.Limits;

namespace Limits.Tests;

/// <summary>
/// Promises 1 and 2 of the limiter over random schedules. A failure names its seed; SEED=… plays that schedule alone, SCHEDULES=…
/// plays another number of them (make soak: a million).
/// </summary>
public sealed class ProtocolTests
{
    private const int SchedulesByDefault = 25_000; // of each algorithm

    [Theory]
    [InlineData(LimitAlgorithm.FixedWindow)]
    [InlineData(LimitAlgorithm.SlidingWindow)]
    [InlineData(LimitAlgorithm.TokenBucket)]
    [InlineData(LimitAlgorithm.Concurrency)]
    public void Never_over_exact_when_nothing_fails_and_nothing_leaked_once_quiet(LimitAlgorithm algorithm)
    {
        if (Number("SEED") is { } only)
        {
            if (Environment.GetEnvironmentVariable("ALGORITHM") is { } wanted && wanted != algorithm.ToString())
            {
                return;
            }

            var verdict = Schedule.Play(only, algorithm);
            Assert.True(verdict is null, verdict);
            return;
        }

        var failures = new SortedDictionary<int, string>();
        Parallel.For(0, Number("SCHEDULES") ?? SchedulesByDefault, (seed, loop) =>
        {
            if (Schedule.Play(seed, algorithm) is { } failure)
            {
                lock (failures)
                {
                    failures.Add(seed, failure);
                }

                loop.Break(); // the smaller seeds are still played
            }
        });
        Assert.True(
            failures.Count == 0,
            string.Join(Environment.NewLine, failures.Take(5).Select(failure => $"SEED={failure.Key}, {algorithm}: {failure.Value}")));
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}
