using System.Globalization;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>Measures contenders in turn, after rounds for warming up; every round begins with another one.</summary>
internal static class Turns
{
    public static async Task<IReadOnlyDictionary<Contender, List<T>>> InTurnAsync<T>(
        this Workbench<RealtimeOptions> workbench, IReadOnlyList<Contender> contenders, Func<Contender, Task<T>> measureAsync)
    {
        var (warmUps, rounds) = (workbench.Options.WarmUps, workbench.Options.Rounds);
        var measured = contenders.ToDictionary(contender => contender, _ => new List<T>());
        for (var turn = 0; turn < warmUps + rounds; turn++)
        {
            for (var i = 0; i < contenders.Count; i++)
            {
                var contender = contenders[(turn + i) % contenders.Count];
                var result = await measureAsync(contender);
                var stage = turn < warmUps ? "warming up" : $"round {turn - warmUps + 1} of {rounds}";
                workbench.Progress(string.Create(CultureInfo.InvariantCulture, $"{stage}, {contender.Name}: {result:F1}"));
                if (turn >= warmUps)
                {
                    measured[contender].Add(result);
                }
            }
        }

        return measured;
    }
}
