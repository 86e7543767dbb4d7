namespace Marketplace.Grains.Users;

/// <summary>
/// When a signing key is published, signs and verifies. Keys follow one another without a gap; each is made
/// <see cref="PublishAhead"/> before it signs, so that every frontend has it by then, and outlives its last signature by
/// one access token and a margin for clocks.
/// </summary>
internal readonly record struct KeySchedule(DateTimeOffset SignsFrom, DateTimeOffset SignsUntil, DateTimeOffset VerifiesUntil)
{
    public static readonly TimeSpan PublishAhead = TimeSpan.FromHours(1);
    private static readonly TimeSpan ClockMargin = TimeSpan.FromMinutes(5);

    /// <summary>When the last token signed with it ends: then it still verifies on all clocks.</summary>
    public DateTimeOffset TokensEndBy => VerifiesUntil - ClockMargin;

    public bool Signs(DateTimeOffset now) => SignsFrom <= now && now < SignsUntil;

    /// <summary>The key that is to be made now, or null while the keys at hand last.</summary>
    public static KeySchedule? Next(
        IEnumerable<KeySchedule> keys, DateTimeOffset now, TimeSpan keyLifetime, TimeSpan accessTokenLifetime)
    {
        var coveredUntil = now;
        foreach (var key in keys.OrderBy(key => key.SignsFrom))
        {
            if (key.SignsFrom <= coveredUntil && key.SignsUntil > coveredUntil)
            {
                coveredUntil = key.SignsUntil;
            }
        }

        if (coveredUntil - now > PublishAhead)
        {
            return null;
        }

        var signsUntil = coveredUntil + keyLifetime;
        return new(coveredUntil, signsUntil, signsUntil + accessTokenLifetime + ClockMargin);
    }
}
