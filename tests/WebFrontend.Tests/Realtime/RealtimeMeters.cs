using System.Diagnostics.Metrics;
using Marketplace.WebFrontend.Realtime;

namespace WebFrontend.Tests.Realtime;

/// <summary>Adds up what one process's meter <c>Marketplace.Realtime</c> says, and remembers how high each sum ever was.</summary>
internal sealed class RealtimeMeters : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Sum, long Highest)> _sums = [];
    private readonly MeterListener _listener = new();

    public RealtimeMeters(IMeterFactory meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == BackplaneMetrics.MeterName && instrument.Meter.Scope == meters)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>(Add);
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, state) => Add(instrument, value, tags, state));
        _listener.Start();
    }

    /// <summary>An instrument's sum, by the end of its name and, where it has one, its tag's value.</summary>
    public long Sum(string name)
    {
        lock (_lock)
        {
            return _sums.GetValueOrDefault($"marketplace.realtime.{name}").Sum;
        }
    }

    public long Highest(string name)
    {
        lock (_lock)
        {
            return _sums.GetValueOrDefault($"marketplace.realtime.{name}").Highest;
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        var name = tags.IsEmpty ? instrument.Name : $"{instrument.Name} {tags[0].Value}";
        lock (_lock)
        {
            var (sum, highest) = _sums.GetValueOrDefault(name);
            _sums[name] = (sum + value, Math.Max(highest, sum + value));
        }
    }
}
