using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>A part of a list. The next part begins behind the last item, whatever came or went before it meanwhile.</summary>
/// <param name="Items">At most <see cref="PageQuery.SizeMax"/>.</param>
/// <param name="NextCursor">What to ask for the next part with; null when there is none.</param>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor)
{
    public Page<TOther> Select<TOther>(Func<T, TOther> map) => new([.. Items.Select(map)], NextCursor);
}

internal static class Page
{
    /// <summary>The first items of a list that begins where the page does.</summary>
    public static Page<T> Of<T>(IEnumerable<T> rest, int size, Func<T, string> cursorOf)
    {
        var items = rest.Take(size + 1).ToList();
        if (items.Count <= size)
        {
            return new(items, null);
        }

        items.RemoveAt(size);
        return new(items, cursorOf(items[^1]));
    }
}

/// <summary>Which part of a list is asked for.</summary>
/// <param name="Cursor">From the answer before; nothing for the beginning.</param>
/// <param name="Limit">How many at most, 1 to 100; 100 if it isn't said.</param>
internal sealed record PageQuery(string? Cursor, int? Limit)
{
    public const int SizeMax = 100;

    public int Size => Limit ?? SizeMax;

    /// <summary>Reads the cursor; false when that or the limit is no good.</summary>
    public bool IsValid<T>(
        [MaybeNull] out T after, [NotNullWhen(false)] out ProblemHttpResult? refusal, Func<string, (bool IsRead, T Value)> parse)
    {
        var errors = new FieldErrors();
        if (Limit is < 1 or > SizeMax)
        {
            errors.Add("limit", $"It must be from 1 to {SizeMax}.");
        }

        after = default;
        if (!string.IsNullOrEmpty(Cursor))
        {
            (var isRead, after) = parse(Cursor);
            if (!isRead)
            {
                errors.Add("cursor", "It must be the nextCursor of an answer.");
            }
        }

        refusal = errors.Any ? errors.ToProblem() : null;
        return refusal is null;
    }
}
