namespace Marketplace.Grains.Mail;

/// <summary>When a mail that couldn't be sent is tried again: after 5 s, 10 s, 20 s, … and at most 2 h.</summary>
internal static class OutboxRetry
{
    public static readonly TimeSpan First = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan Longest = TimeSpan.FromHours(2);

    /// <summary>How long to wait after the given number of failed attempts (at least one); null to give up.</summary>
    public static TimeSpan? After(int attempts, int maxAttempts)
    {
        if (attempts >= maxAttempts)
        {
            return null;
        }

        // 2^11 times the first wait is past the longest; the bound keeps the shift from overflowing.
        var wait = First * (1 << Math.Min(attempts - 1, 11));
        return wait < Longest ? wait : Longest;
    }
}
