using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Grains.Realtime.History;

/// <summary>The section <c>History</c> of a silo: how much a channel keeps. A client that was away for longer must reload.</summary>
public sealed class HistorySettings
{
    public const string Section = "History";

    [Description("Messages that a channel keeps at least; up to a quarter more until it is trimmed.")]
    [Range(1, 10_000_000)]
    public int MessagesMax { get; set; } = 10_000;

    [Description("Bytes of messages that a channel keeps at least; up to a quarter more until it is trimmed.")]
    [Range(1_024, 10_000_000_000)]
    public long BytesMax { get; set; } = 10_000_000;

    [Description("How long messages are kept.")]
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan AgeMax { get; set; } = TimeSpan.FromDays(90);
}
