using System.Globalization;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>The processor time of processes over a span, from <c>/proc</c>.</summary>
internal sealed class ProcessorTime(IReadOnlyList<int> processIds)
{
    private const double TicksPerSecond = 100; // USER_HZ, the same on every Linux
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private readonly List<double> _before = [.. processIds.Select(SecondsOf)];

    /// <summary>Shares of one core since the beginning, in the order of the process ids; 2 is two cores.</summary>
    public IReadOnlyList<double> Shares()
    {
        var seconds = TimeProvider.System.GetElapsedTime(_startedAt).TotalSeconds;
        return [.. Seconds().Select(used => used / seconds)];
    }

    /// <summary>Seconds used since the beginning, in the order of the process ids.</summary>
    public IReadOnlyList<double> Seconds() => [.. processIds.Select((id, i) => SecondsOf(id) - _before[i])];

    private static double SecondsOf(int processId)
    {
        // The name, second, may hold spaces; it ends with the last parenthesis. utime and stime are the 14th and 15th.
        var stat = File.ReadAllText($"/proc/{processId.ToString(CultureInfo.InvariantCulture)}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    }
}
