namespace Marketplace.Grains.Realtime;

/// <summary>The bounds of a channel, and what happens at each.</summary>
internal static class RealtimeLimits
{
    /// <summary>Messages that wait for one frontend of one channel; past it a publish fails as unavailable.</summary>
    public const int BacklogMessagesMax = 10_000;

    /// <summary>Messages in one call to a frontend; the rest goes with the next call.</summary>
    public const int DeliveryMessagesMax = 256;

    /// <summary>Publishers whose last batch a channel remembers; past it the one that was silent longest is forgotten.</summary>
    public const int PublishersMax = 256;

    /// <summary>How long a publish waits for a frontend that is slower than others; it is tried on afterwards.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>How long a publish waits for anyone at all before it fails.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Between two attempts at one frontend.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(250);
}
