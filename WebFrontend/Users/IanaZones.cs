using System.Diagnostics.CodeAnalysis;

namespace Marketplace.WebFrontend.Users;

/// <summary>The time zones that a user may live in.</summary>
internal static class IanaZones
{
    private const int MaxLength = 64;

    /// <summary>Finds a zone by its IANA id and gives the id as the time zone database spells it.</summary>
    public static bool TryFind(string text, [NotNullWhen(true)] out string? id)
    {
        id = null;

        // Region/City, or UTC: the database's directory holds files of other names as well (posixrules, posix/…, EST5EDT).
        if (text.Length > MaxLength || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+')
            || text.StartsWith("posix/", StringComparison.OrdinalIgnoreCase) || text.StartsWith("right/", StringComparison.OrdinalIgnoreCase)
            || !(text.Contains('/', StringComparison.Ordinal) || text.Equals("UTC", StringComparison.OrdinalIgnoreCase))
            || !TimeZoneInfo.TryFindSystemTimeZoneById(text, out var zone) || !zone.HasIanaId)
        {
            return false;
        }

        id = zone.Id;
        return true;
    }
}
