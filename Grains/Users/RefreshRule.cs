namespace Marketplace.Grains.Users;

internal enum RefreshDecision
{
    /// <summary>The token is spent, a new one takes its place.</summary>
    Rotate,

    /// <summary>The client repeats itself because it lost the answer: it gets a token of its own again.</summary>
    RotateAgain,

    /// <summary>Two hold the token, and one of them stole it: nobody may go on with this family.</summary>
    EndFamily,

    /// <summary>The family's time is over.</summary>
    Expired,
}

/// <summary>
/// Rotation with reuse detection (RFC 9700, 4.14.2): a refresh token is used once. Within a short grace a second use is taken for
/// a client that lost the answer, which is belied as soon as somebody uses what was in that answer. So a thief who is quick
/// enough for the grace still goes unnoticed only until the second of the two refreshes: of the tokens that replace one, one is
/// ever used.
/// </summary>
internal static class RefreshRule
{
    /// <param name="token">The token that is used now.</param>
    /// <param name="now">The time of this use.</param>
    /// <param name="grace">How long after the first use a second one is taken for a repetition.</param>
    public static RefreshDecision Decide(StoredRefreshToken token, DateTimeOffset now, TimeSpan grace) =>
        now >= token.FamilyExpiresAt ? RefreshDecision.Expired
        : token.IsRivalUsed ? RefreshDecision.EndFamily
        : token.UsedFor is not { } age ? RefreshDecision.Rotate
        : age < grace && !token.IsReplacementUsed ? RefreshDecision.RotateAgain
        : RefreshDecision.EndFamily;
}
