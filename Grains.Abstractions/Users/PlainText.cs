using System.Text;

namespace Marketplace.Users;

/// <summary>What text from outside must be before anything is done with it.</summary>
public static class PlainText
{
    /// <summary>
    /// No control characters (PostgreSQL refuses NUL, a mail header ends at a line break) and no half of a surrogate pair
    /// (it has no UTF-8).
    /// </summary>
    public static bool IsWellFormed(string text)
    {
        var rest = text.AsSpan();
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var consumed) != System.Buffers.OperationStatus.Done || Rune.IsControl(rune))
            {
                return false;
            }

            rest = rest[consumed..];
        }

        return true;
    }
}
