using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>Versions as strong ETags, and the precondition of an edit (RFC 9110, 13.1.1).</summary>
internal static class IfMatch
{
    public static string ETagOf(int version) => string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");

    /// <summary>Reads the header; false when it is missing (428) or no list of ETags (400).</summary>
    /// <param name="request">The request.</param>
    /// <param name="versions">The versions named; null for <c>*</c>, which matches whichever there is.</param>
    /// <param name="refusal">The answer when the header is no good.</param>
    public static bool TryRead(
        HttpRequest request, out IReadOnlyList<int>? versions, [NotNullWhen(false)] out ProblemHttpResult? refusal)
    {
        versions = null;
        refusal = null;
        var header = request.Headers.IfMatch;
        if (header.Count == 0)
        {
            refusal = TypedResults.Problem(
                statusCode: StatusCodes.Status428PreconditionRequired, type: ProblemTypes.Uri(ProblemTypes.PreconditionRequired),
                title: "If-Match is required", detail: "Send the ETag of what you have seen.");
            return false;
        }

        if (!EntityTagHeaderValue.TryParseStrictList(header, out var tags))
        {
            refusal = TypedResults.Problem(
                statusCode: StatusCodes.Status400BadRequest, type: ProblemTypes.Uri(ProblemTypes.Validation),
                title: "The request is not understood", detail: "If-Match must be an ETag with its quotes, a list of them, or *.");
            return false;
        }

        if (!tags.Contains(EntityTagHeaderValue.Any))
        {
            // A weak tag, or one that isn't ours, is well formed and matches nothing.
            versions = [.. tags.Where(tag => !tag.IsWeak).Select(tag => ParseVersion(tag.Tag.AsSpan().Trim('"'))).OfType<int>()];
        }

        return true;
    }

    /// <summary>412: somebody else was first.</summary>
    public static ProblemHttpResult Mismatch() => TypedResults.Problem(
        statusCode: StatusCodes.Status412PreconditionFailed, type: ProblemTypes.Uri(ProblemTypes.VersionMismatch),
        title: "It has changed since you have seen it", detail: "Get it again, and its new ETag with it.");

    private static int? ParseVersion(ReadOnlySpan<char> text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : null;
}
