namespace Marketplace.WebFrontend.Users;

/// <summary>The time zones that a user may live in.</summary>
internal static class IanaZones
{
    private const int MaxLength = 64;

    /// <summary>Whether the text is a zone's IANA id, spelled as the time zone database spells it.</summary>
    public static bool Contain(string text) =>
        text.Length <= MaxLength
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+')

        // Region/City, or UTC: the database's directory holds files of other names as well (posixrules, posix/…, EST5EDT).
        && (text.Contains('/', StringComparison.Ordinal) || text == "UTC")
        && !text.StartsWith("posix/", StringComparison.Ordinal) && !text.StartsWith("right/", StringComparison.Ordinal)

        // To the lookup an id is a path: Europe//Berlin leads to a file too, and what it has found it keeps for ever.
        && !text.Split('/').Contains("")

        // The lookup ignores case for zones that it has met before; whether an id is good must not depend on that.
        && TimeZoneInfo.TryFindSystemTimeZoneById(text, out var zone) && zone.HasIanaId && zone.Id == text;
}
