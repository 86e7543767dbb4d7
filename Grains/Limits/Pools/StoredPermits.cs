using System.Collections.Immutable;

namespace Marketplace.Grains.Limits.Pools;

/// <summary>What the row of a bucket says, as of the moment it was written; durations count from then.</summary>
/// <param name="Parts">
/// Windows: one for each segment that counts, (time until it ends, permits). A level: one, (time until what is held is void,
/// permits held).
/// </param>
/// <param name="Level">Permits that were free; null for windows.</param>
internal sealed record StoredPermits(ImmutableArray<(TimeSpan EndsIn, int Permits)> Parts, int? Level = null)
{
    /// <summary>Marks the first number of a level's row; a window's row begins with the time of its first segment.</summary>
    private const long LevelMark = long.MinValue;

    /// <summary>The row's array of numbers; durations in ticks of 100 ns.</summary>
    public long[] ToNumbers() => Level is { } level
        ? [LevelMark, level, Parts[0].EndsIn.Ticks, Parts[0].Permits]
        : [.. Parts.SelectMany(part => (long[])[part.EndsIn.Ticks, part.Permits])];

    /// <summary>Reads what <see cref="ToNumbers"/> wrote.</summary>
    /// <exception cref="FormatException">The row was written by something else.</exception>
    public static StoredPermits FromNumbers(long[] numbers) => numbers switch
    {
        [LevelMark, var level, var endsIn, var permits] => new([(TimeSpan.FromTicks(endsIn), (int)permits)], (int)level),
        _ when numbers.Length % 2 == 0 =>
            new([.. numbers.Chunk(2).Select(pair => (TimeSpan.FromTicks(pair[0]), (int)pair[1]))]),
        _ => throw new FormatException($"A bucket's row holds {numbers.Length} numbers, which no version of this program writes."),
    };

    /// <summary>Permits that the row says are not free, whatever the algorithm.</summary>
    public int Held => (int)Math.Min(int.MaxValue, Parts.Sum(part => (long)part.Permits));
}
