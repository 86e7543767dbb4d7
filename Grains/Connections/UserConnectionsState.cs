using Marketplace.Connections;

namespace Marketplace.Grains.Connections;

/// <summary>The stored slots of a user, as readable JSON; <c>sql/0004_connections.sql</c> reads it too.</summary>
public sealed class UserConnectionsState
{
    /// <summary>Names the state in the table: there the state's name, not the grain's, tells rows of two grains apart.</summary>
    public const string Name = "user-connections";

    /// <summary>Oldest first.</summary>
    public IList<StoredSlot> Slots { get; set; } = [];
}

/// <summary>One connection's slot.</summary>
public sealed class StoredSlot
{
    public Guid Connection { get; set; }

    public long Epoch { get; set; }

    public DateTimeOffset Since { get; set; }

    public ConnectionTransport Transport { get; set; }
}
