using System.Text.Json;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;
using Marketplace.WebFrontend.Realtime.History;

namespace Grains.Tests.Realtime;

/// <summary>A frontend that follows one channel with history, by the rules of real ones, and writes down what it took.</summary>
internal sealed class HistoryFrontend : IFrontendObserver
{
    private readonly Lock _lock = new();
    private readonly LocalHistory _history = new();
    private readonly List<string> _has = [];

    public FrontendAddress Address { get; set; } = null!;

    public HistoryPosition Known => _history.Known ?? default;

    public IReadOnlyList<string> Has
    {
        get
        {
            lock (_lock)
            {
                return [.. _has];
            }
        }
    }

    public static string TextOf(NumberedMessage message) =>
        JsonSerializer.Deserialize<string[]>(((HistoryMessage)message.Message).Arguments.Span)![0];

    public void Begin(HistoryPosition position) => _history.Begin(position);

    public ValueTask<DeliveryAnswer> Deliver(ChannelDelivery delivery)
    {
        lock (_lock)
        {
            return new(Take(delivery));
        }
    }

    public ValueTask<PresenceReport?> ReportPresence(string place) => new((PresenceReport?)null);

    public ValueTask PresenceChanged(string place, PresenceState state) => ValueTask.CompletedTask;

    private DeliveryAnswer Take(ChannelDelivery delivery) =>
        _history.Take(delivery, _ => Write("(lost)"), (_, message) => Write(TextOf(message)));

    private bool Write(string text)
    {
        _has.Add(text);
        return true;
    }
}
