using HdrHistogram;

namespace Marketplace.Bench.Load.Driver;

/// <summary>A histogram of durations that several threads record into: microseconds, to three digits, up to an hour.</summary>
internal sealed class Latencies
{
    private readonly Lock _lock = new();
    private readonly LongHistogram _histogram = Distribution.NewHistogram();

    public void Record(TimeSpan duration)
    {
        var microseconds = Math.Clamp((long)duration.TotalMicroseconds, 1, Distribution.MicrosecondsMax);
        lock (_lock)
        {
            _histogram.RecordValue(microseconds);
        }
    }

    /// <summary>What was recorded.</summary>
    /// <param name="forgets">Whether it is forgotten by that.</param>
    public Distribution Read(bool forgets)
    {
        lock (_lock)
        {
            var distribution = Distribution.Of(_histogram);
            if (forgets)
            {
                _histogram.Reset();
            }

            return distribution;
        }
    }
}
