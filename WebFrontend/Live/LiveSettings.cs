using System.ComponentModel;

namespace Marketplace.WebFrontend.Live;

/// <summary>The section <c>Live</c>.</summary>
public sealed class LiveSettings
{
    public const string Section = "Live";

    [Description("Whether any room may be entered that is named by 1 to 64 of a-z, 0-9 and -: for load tests and development.")]
    public bool OpenRooms { get; set; }
}
