namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>Server settings beyond those that every private server has; the default is a durable server.</summary>
public sealed record PostgresTuning
{
    /// <summary>What is acknowledged is on disk.</summary>
    public static readonly PostgresTuning Durable = new();

    /// <summary>
    /// For tests: nothing waits for the disk, so a machine that loses power may lose the data. Commits stay synchronous:
    /// they are still with the operating system when acknowledged, and so survive a kill -9 of the server.
    /// </summary>
    public static readonly PostgresTuning ThrowAway = new()
    {
        SyncsToDisk = false,
        Settings = new Dictionary<string, string>
        {
            ["fsync"] = "off",
            ["full_page_writes"] = "off",
            ["shared_buffers"] = "64MB",
            ["wal_level"] = "minimal",
            ["max_wal_senders"] = "0",
        },
    };

    /// <summary>Names and values of postgresql.conf, such as <c>shared_buffers</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the new cluster's files are flushed once they are made.</summary>
    public bool SyncsToDisk { get; init; } = true;
}
