namespace Marketplace.Grains.Realtime.History;

/// <summary>The bounds of a channel with history that no operator needs to know, and what happens at each.</summary>
internal static class HistoryLimits
{
    /// <summary>Messages in one answer; the rest is asked for again.</summary>
    public const int PageMessagesMax = 256;

    /// <summary>Bytes of arguments past which an answer ends.</summary>
    public const int PageBytesMax = 256 * 1024;

    /// <summary>Messages that wait to be appended to one channel; past it an append fails as unavailable.</summary>
    public const int WaitingMax = 10_000;

    /// <summary>Messages in one append; the rest goes with the next one.</summary>
    public const int AppendMessagesMax = 128;

    /// <summary>Messages that a channel has in memory for those who come back soon; older ones are read from the table.</summary>
    public const int TailMessagesMax = 128;

    /// <summary>Bytes of them.</summary>
    public const int TailBytesMax = 32 * 1024;

    /// <summary>Messages swept by one statement.</summary>
    public const int SweepRowsMax = 5_000;

    /// <summary>A channel is trimmed when it has this many times what it may keep, so that not every append has to.</summary>
    public const double TrimAbove = 1.25;
}
