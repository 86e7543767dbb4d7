using System.Globalization;
using Marketplace.Limits;
using Marketplace.Testing;

namespace Limits.Tests.Model;

/// <summary>The model takes all processors: nobody else's clock is to wait for them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class ModelCollection
{
    public const string Name = "model";
}

/// <summary>
/// Promises 1 and 2 of the limiter over random schedules: 100,000, and a million by <c>make soak</c>. A failure names its seed;
/// <c>SEED=… ALGORITHM=…</c> plays that schedule alone, <c>TRACE=1</c> tells what happened in it, <c>SCHEDULES=…</c> plays another
/// number of them.
/// </summary>
[Collection(ModelCollection.Name)]
[Trait(Soak.Trait, "yes")]
public sealed class ProtocolTests
{
    /// <summary>Of each of the four algorithms.</summary>
    private static readonly int SchedulesByDefault = Soak.Choose(inTest: 25_000, inSoak: 250_000);

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
