using System.Collections.Frozen;
using System.Globalization;
using Microsoft.AspNetCore.Mvc;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>The problem types that clients may rely on; each is the last segment of a <c>type</c> URI.</summary>
internal static class ProblemTypes
{
    public const string Validation = "validation";
    public const string RateLimited = "rate-limited";
    public const string ConnectionLimit = "connection-limit";
    public const string Unavailable = "unavailable";
    public const string VersionMismatch = "version-mismatch";
    public const string PreconditionRequired = "precondition-required";
    public const string Unauthorized = "unauthorized";
    public const string Forbidden = "forbidden";
    public const string InvalidCredentials = "invalid-credentials";
    public const string SessionEnded = "session-ended";

    public const string BodyTooLarge = "body-too-large";

    /// <summary>The types of statuses that the framework sets by itself.</summary>
    private static readonly FrozenDictionary<int, string> ByStatus = new Dictionary<int, string>
    {
        [StatusCodes.Status400BadRequest] = Validation,
        [StatusCodes.Status401Unauthorized] = Unauthorized,
        [StatusCodes.Status403Forbidden] = Forbidden,
        [StatusCodes.Status404NotFound] = "not-found",
        [StatusCodes.Status405MethodNotAllowed] = "method-not-allowed",
        [StatusCodes.Status408RequestTimeout] = "request-timeout",
        [StatusCodes.Status413PayloadTooLarge] = BodyTooLarge,
        [StatusCodes.Status415UnsupportedMediaType] = "unsupported-media-type",
        [StatusCodes.Status500InternalServerError] = "internal-error",
        [StatusCodes.Status503ServiceUnavailable] = Unavailable,
    }.ToFrozenDictionary();

    /// <summary>The type of a status that the framework sets by itself.</summary>
    public static string OfStatus(int status) => ByStatus.GetValueOrDefault(status, Validation);

    /// <summary>The stable URI of a type.</summary>
    public static string Uri(string type) => $"/problems/{type}";

    /// <summary>The URI for a problem that nobody gave a type of ours.</summary>
    public static string? UriOf(ProblemDetails problem) =>
        problem.Type?.StartsWith("/problems/", StringComparison.Ordinal) != true
        && ByStatus.TryGetValue(problem.Status ?? 0, out var type) ? Uri(type) : problem.Type;
}

/// <summary>Writes <c>application/problem+json</c>.</summary>
internal static class ProblemWriter
{
    /// <summary>Writes a problem, unless the response has started and nothing can be said any more.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The HTTP status.</param>
    /// <param name="type">One of <see cref="ProblemTypes"/>.</param>
    /// <param name="title">What went wrong, the same for every occurrence.</param>
    /// <param name="detail">What went wrong this time; nothing internal.</param>
    /// <param name="retryAfter">Sent as <c>Retry-After</c>, rounded up to whole seconds, at least one.</param>
    public static async Task WriteAsync(
        HttpContext context, int status, string type, string title, string? detail = null, TimeSpan? retryAfter = null)
    {
        if (context.Response.HasStarted)
        {
            return;
        }

        context.Response.StatusCode = status;
        if (retryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Seconds(wait).ToString(CultureInfo.InvariantCulture);
        }

        var problem = new ProblemDetails
        {
            Status = status,
            Type = ProblemTypes.Uri(type),
            Title = title,
            Detail = detail,
        };
        var service = context.RequestServices.GetRequiredService<IProblemDetailsService>();
        if (!await service.TryWriteAsync(new ProblemDetailsContext { HttpContext = context, ProblemDetails = problem }))
        {
            // The client's Accept excludes JSON: a problem is still the most useful answer.
            await context.Response.WriteAsJsonAsync(
                problem, options: null, contentType: "application/problem+json", context.RequestAborted);
        }
    }

    /// <summary>503: what was asked can't be done at the moment and may be tried again.</summary>
    public static Task WriteUnavailableAsync(HttpContext context, string detail, TimeSpan retryAfter) => WriteAsync(
        context, StatusCodes.Status503ServiceUnavailable, ProblemTypes.Unavailable, "Temporarily unavailable", detail, retryAfter);

    /// <summary>Whole seconds for a <c>Retry-After</c>: rounded up, at least one.</summary>
    public static long Seconds(TimeSpan wait) => Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
}
