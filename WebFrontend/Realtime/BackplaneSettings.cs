using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>The section <c>Backplane</c>: how far a connection's reader may fall behind, and what becomes of it then.</summary>
public sealed class BackplaneSettings
{
    public const string Section = "Backplane";

    [Description("Messages that may wait for one connection whose reader is behind; with one more it is closed.")]
    [Range(1, 1_000_000)]
    public int QueuedMessagesMax { get; set; } = 1_000;

    [Description("Bytes that may wait for one connection whose reader is behind; past it the connection is closed.")]
    [Range(1_024, 1_073_741_824)]
    public int QueuedBytesMax { get; set; } = 1024 * 1024;

    [Description("How long a connection closed for slowness may take to read why, before its socket is cut off.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan GoodbyeWithin { get; set; } = TimeSpan.FromSeconds(10);
}
