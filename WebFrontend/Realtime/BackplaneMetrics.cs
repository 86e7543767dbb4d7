using System.Diagnostics.Metrics;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>The meter <c>Marketplace.Realtime</c>. Nothing here is counted per connection while all readers keep up.</summary>
internal sealed class BackplaneMetrics
{
    public const string MeterName = "Marketplace.Realtime";

    private readonly Counter<long> _received;
    private readonly Histogram<int> _fanOut;
    private readonly Counter<long> _cut;
    private readonly Counter<long> _dropped;
    private readonly UpDownCounter<long> _queuedMessages;
    private readonly UpDownCounter<long> _queuedBytes;

    public BackplaneMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _received = meter.CreateCounter<long>("marketplace.realtime.received", "{message}", "Taken over from channels");
        _fanOut = meter.CreateHistogram<int>(
            "marketplace.realtime.fan_out", "{connection}", "Connections of this frontend that one message was written to; its sum is the messages written");
        _cut = meter.CreateCounter<long>("marketplace.realtime.cut", "{connection}", "Closed for a slow reader, by the bound that was passed");
        _dropped = meter.CreateCounter<long>("marketplace.realtime.dropped", "{message}", "Not written since their connection is being cut");
        _queuedMessages = meter.CreateUpDownCounter<long>("marketplace.realtime.queued", "{message}", "Waiting for readers that are behind");
        _queuedBytes = meter.CreateUpDownCounter<long>("marketplace.realtime.queued_bytes", "By", "Waiting for readers that are behind");
    }

    public void Received(int messages) => _received.Add(messages);

    public void FannedOut(int connections) => _fanOut.Record(connections);

    public void Cut(string bound) => _cut.Add(1, new KeyValuePair<string, object?>("bound", bound));

    public void Dropped(int messages) => _dropped.Add(messages);

    /// <summary>Counts what began to wait (positive) or waits no more (negative).</summary>
    public void Queued(int messages, long bytes)
    {
        _queuedMessages.Add(messages);
        _queuedBytes.Add(bytes);
    }
}
