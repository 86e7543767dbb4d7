using System.ComponentModel;

namespace Marketplace.WebFrontend.Live;

/// <summary>The section <c>Live</c> of a frontend.</summary>
public sealed class LiveSettings
{
    public const string Section = "Live";

    [Description("Lets anybody into a room of any name (1 to 64 of a-z, 0-9 and -), for development and load tests.")]
    public bool OpenRooms { get; set; }
}
