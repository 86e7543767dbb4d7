namespace Marketplace.Grains.Connections;

/// <summary>The stored shares, as readable JSON; <c>sql/0004_connections.sql</c> reads it too.</summary>
public sealed class ConnectionTotalState
{
    /// <summary>Names the state in the table: there the state's name, not the grain's, tells rows of two grains apart.</summary>
    public const string Name = "connection-total";

    public IList<StoredShare> Shares { get; set; } = [];
}

/// <summary>What a frontend may hold at most.</summary>
public sealed class StoredShare
{
    public long Epoch { get; set; }

    public int Held { get; set; }

    /// <summary>The request that it was granted upon; earlier ones that arrive late must not count.</summary>
    public long Sequence { get; set; }
}
