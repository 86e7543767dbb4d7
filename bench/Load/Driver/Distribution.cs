using System.Globalization;
using HdrHistogram;

namespace Marketplace.Bench.Load.Driver;

/// <summary>
/// Durations as counted, in a form that goes from process to process: those of several workers are added up before anybody
/// asks for a percentile, since percentiles can't be.
/// </summary>
/// <param name="Counts">Pairs of microseconds and how often, in the order of the microseconds.</param>
internal sealed record Distribution(IReadOnlyList<long[]> Counts)
{
    public const long MicrosecondsMax = 3_600_000_000;
    private const int Digits = 3;
    private const double Millisecond = 1000;

    public static Distribution Empty { get; } = new([]);

    public long Count => Counts.Sum(pair => pair[1]);

    /// <summary>0 where nothing was recorded.</summary>
    public double LongestMilliseconds => Counts.Count == 0 ? 0 : Counts[^1][0] / Millisecond;

    public static LongHistogram NewHistogram() => new(MicrosecondsMax, Digits);

    public static Distribution Of(HistogramBase histogram) => new(
        [.. histogram.RecordedValues().Select(value => new[] { value.ValueIteratedTo, value.CountAddedInThisIterationStep })]);

    public static Distribution Sum(IEnumerable<Distribution> parts)
    {
        var sum = NewHistogram();
        foreach (var part in parts)
        {
            part.AddTo(sum);
        }

        return Of(sum);
    }

    /// <summary>The time within which this share of them was done; 0 where nothing was recorded.</summary>
    public double Milliseconds(double percent)
    {
        if (Counts.Count == 0)
        {
            return 0;
        }

        var histogram = NewHistogram();
        AddTo(histogram);
        return histogram.GetValueAtPercentile(percent) / Millisecond;
    }

    public override string ToString() => Counts.Count == 0 ? "none" : string.Create(CultureInfo.InvariantCulture,
        $"p50 {Milliseconds(50):F1} ms, p99 {Milliseconds(99):F1} ms, longest {LongestMilliseconds:F1} ms");

    private void AddTo(LongHistogram histogram)
    {
        foreach (var pair in Counts)
        {
            histogram.RecordValueWithCount(Math.Min(pair[0], MicrosecondsMax), pair[1]);
        }
    }
}
