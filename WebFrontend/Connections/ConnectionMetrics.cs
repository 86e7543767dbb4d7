using System.Diagnostics.Metrics;

namespace Marketplace.WebFrontend.Connections;

/// <summary>The meter <c>Marketplace.Connections</c>.</summary>
internal sealed class ConnectionMetrics
{
    public const string MeterName = "Marketplace.Connections";

    private readonly UpDownCounter<int> _live;
    private readonly Counter<long> _refused;
    private int _count;

    public ConnectionMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _live = meter.CreateUpDownCounter<int>("marketplace.connections.live", "{connection}", "Admitted and not closed yet");
        _refused = meter.CreateCounter<long>("marketplace.connections.refused", "{connection}", "Refused, by reason");
    }

    public int Live => Volatile.Read(ref _count);

    public void Opened()
    {
        Interlocked.Increment(ref _count);
        _live.Add(1);
    }

    public void Closed()
    {
        Interlocked.Decrement(ref _count);
        _live.Add(-1);
    }

    public void Refused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
