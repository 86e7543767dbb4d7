namespace Marketplace.Users;

/// <summary>
/// An e-mail address as its owner wrote it, and folded: two addresses with the same <see cref="Folded"/> belong to one
/// account. Plain addresses only: no quoted local part, no address literal, nothing that could end a mail header, and ASCII
/// only. Outside ASCII, spellings that look the same and fold differently (or the reverse: the Kelvin sign folds to a k)
/// are how accounts are taken over, and few servers take such mail; international domains have their xn-- form.
/// </summary>
public readonly record struct EmailAddress
{
    public const int MaxLength = 254;
    private const int MaxLocalLength = 64;
    private const int MaxLabelLength = 63;

    private EmailAddress(string given)
    {
        Given = given;
        Folded = given.ToLowerInvariant();
    }

    /// <summary>As written, trimmed.</summary>
    public string Given { get; }

    /// <summary>In lower case as well.</summary>
    public string Folded { get; }

    /// <summary>Reads an address; false when it is none.</summary>
    public static bool TryParse(string? text, out EmailAddress address)
    {
        address = default;
        if (text is null)
        {
            return false;
        }

        var given = text.Trim(' ');
        var at = given.IndexOf('@', StringComparison.Ordinal);
        if (given.Length > MaxLength || at < 0 || !IsLocalPart(given.AsSpan(0, at)) || !IsDomain(given.AsSpan(at + 1)))
        {
            return false;
        }

        address = new(given);
        return true;
    }

    private static bool IsLocalPart(ReadOnlySpan<char> local)
    {
        if (local.Length is 0 or > MaxLocalLength || local[0] == '.' || local[^1] == '.' || local.Contains("..", StringComparison.Ordinal))
        {
            return false;
        }

        foreach (var c in local)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-/=?^_`{|}~.".Contains(c, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsDomain(ReadOnlySpan<char> domain)
    {
        var labels = 0;
        foreach (var range in domain.Split('.'))
        {
            var label = domain[range];
            if (label.Length is 0 or > MaxLabelLength || label[0] == '-' || label[^1] == '-')
            {
                return false;
            }

            foreach (var c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c != '-')
                {
                    return false;
                }
            }

            labels++;
        }

        return labels >= 2;
    }
}
