namespace Marketplace.Grains.Users;

internal enum RefreshDecision
{
    /// <summary>The first use: the token is spent, a new one takes its place.</summary>
    Rotate,

    /// <summary>The client repeats itself because it lost the answer: it gets a token of its own again.</summary>
    RotateAgain,

    /// <summary>Two hold the token, and one of them stole it: nobody may go on with this family.</summary>
    EndFamily,

    /// <summary>The family's time is over.</summary>
    Expired,
}

/// <summary>
/// Rotation with reuse detection (RFC 9700, 4.14.2): a refresh token is used once. The grace is short and counts from the
/// first use, so a thief must be quicker than that to stay unnoticed.
/// </summary>
internal static class RefreshRule
{
    /// <param name="usedAt">When the token was first used, if it was.</param>
    /// <param name="familyExpiresAt">When the session ends, however often it is refreshed.</param>
    /// <param name="now">The time of this use.</param>
    /// <param name="grace">How long after the first use a second one is taken for a repetition.</param>
    public static RefreshDecision Decide(DateTimeOffset? usedAt, DateTimeOffset familyExpiresAt, DateTimeOffset now, TimeSpan grace) =>
        now >= familyExpiresAt ? RefreshDecision.Expired
        : usedAt is null ? RefreshDecision.Rotate
        : now - usedAt < grace ? RefreshDecision.RotateAgain
        : RefreshDecision.EndFamily;
}
