using System.Globalization;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>What the rounds gave for one quantity: the median counts, and the spread says how far to trust it.</summary>
internal sealed class Series(IEnumerable<double> values)
{
    private readonly double[] _inOrder = [.. values];

    public double Median
    {
        get
        {
            var sorted = _inOrder.Order().ToList();
            var middle = sorted.Count / 2;
            return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        }
    }

    /// <summary>Round by round, so that a slow minute of the machine meets both sides.</summary>
    public Series Over(Series other) => new(_inOrder.Zip(other._inOrder, (mine, others) => mine / others));

    /// <summary>The median, and in brackets the least and the most.</summary>
    public string ToString(string format) => string.Create(CultureInfo.InvariantCulture,
        $"{Text(Median, format)} ({Text(_inOrder.Min(), format)}..{Text(_inOrder.Max(), format)})");

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
