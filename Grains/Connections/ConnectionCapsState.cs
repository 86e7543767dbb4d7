using Marketplace.Connections;

namespace Marketplace.Grains.Connections;

/// <summary>What operators have changed about the caps, as readable JSON.</summary>
public sealed class ConnectionCapsState
{
    /// <summary>Names the state in the table: there the state's name, not the grain's, tells rows of two grains apart.</summary>
    public const string Name = "connection-caps";

    /// <summary>How often they were changed.</summary>
    public int Version { get; set; }

    /// <summary>Null when the configured ones are in force.</summary>
    public StoredCaps? Caps { get; set; }
}

/// <summary>Caps that stand in the place of the configured ones.</summary>
public sealed class StoredCaps
{
    public int PerUser { get; set; }

    public Dictionary<string, int> PerUserByRole { get; set; } = [];

    public int Total { get; set; }

    public WhenFull WhenFull { get; set; }

    public static StoredCaps Of(ConnectionCaps caps) => new()
    {
        PerUser = caps.PerUser,
        PerUserByRole = new(caps.PerUserByRole),
        Total = caps.Total,
        WhenFull = caps.WhenFull,
    };

    public ConnectionCaps ToCaps() => new()
    {
        PerUser = PerUser,
        PerUserByRole = new(PerUserByRole),
        Total = Total,
        WhenFull = WhenFull,
    };
}
