using System.Globalization;
using Marketplace.Testing;

namespace Grains.Tests.Realtime.Model;

/// <summary>The model takes all processors: nobody else's clock is to wait for them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HistoryModelCollection
{
    public const string Name = "history model";
}

/// <summary>
/// Promises 4 and 5 of realtime over random schedules. A failure names its seed; <c>SEED=…</c> plays that schedule alone,
/// <c>TRACE=1</c> tells what happened in it, <c>SCHEDULES=…</c> plays another number of them.
/// </summary>
[Collection(HistoryModelCollection.Name)]
[Trait(Soak.Trait, "yes")]
public sealed class HistoryProtocolTests
{
    private static readonly int SchedulesByDefault = Soak.Choose(inTest: 20_000, inSoak: 500_000);

    [Fact]
    public void Nothing_is_missed_nothing_comes_twice_and_a_message_has_one_number_for_ever()
    {
        if (Number("SEED") is { } only)
        {
            var verdict = HistorySchedule.Play(only);
            Assert.True(verdict is null, verdict);
            return;
        }

        var failures = new SortedDictionary<int, string>();
        Parallel.For(0, Number("SCHEDULES") ?? SchedulesByDefault, (seed, loop) =>
        {
            if (HistorySchedule.Play(seed) is { } failure)
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
            string.Join(Environment.NewLine, failures.Take(5).Select(failure => $"SEED={failure.Key}: {failure.Value}")));
    }

    private static int? Number(string variable) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}
