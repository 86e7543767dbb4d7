using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Unicode;
using System.Threading.RateLimiting;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// Answers a refused request: 429, or 503 when its bucket could not be reached. A refusal has to cost next to nothing, so its
/// problem is written as bytes, the same that <see cref="ProblemWriter"/> would write.
/// </summary>
internal static class RefusalWriter
{
    /// <summary>Above all parts at their longest: fixed text, a policy's name, three numbers, and a trace id with every character escaped.</summary>
    private const int LengthMax = 2_048;

    private const int TraceIdLengthMax = 256;

    /// <summary>Answers, unless the response has started and nothing can be said any more.</summary>
    /// <param name="context">The request.</param>
    /// <param name="lease">The refusal, from a limiter of this frontend.</param>
    public static Task WriteAsync(HttpContext context, RateLimitLease lease)
    {
        lease.TryGetMetadata(MetadataName.RetryAfter, out var retryAfter);
        lease.TryGetMetadata(BucketLease.ReasonName, out var reason);
        if (lease.TryGetMetadata(BucketLease.StatusName, out var status) && status.Limit > 0 && !context.Response.HasStarted)
        {
            context.RequestServices.GetRequiredService<ILimitHeaders>().Write(context.Response.Headers, [status]);
        }

        if (reason == RefusalReason.Unavailable)
        {
            return ProblemWriter.WriteUnavailableAsync(context, "Nothing was changed; please try again.", retryAfter);
        }

        return context.Response.HasStarted ? Task.CompletedTask : WriteTooManyAsync(context, status, ProblemWriter.Seconds(retryAfter));
    }

    /// <summary>Answers 429.</summary>
    /// <param name="context">The request, whose response has not started.</param>
    /// <param name="status">Where its partition stands.</param>
    public static Task WriteTooManyAsync(HttpContext context, in PermitStatus status) =>
        WriteTooManyAsync(context, status, ProblemWriter.Seconds(status.ResetsIn));

    /// <summary>Into the response's own buffer, which the server sends when the request ends.</summary>
    private static Task WriteTooManyAsync(HttpContext context, in PermitStatus status, long retryAfter)
    {
        var response = context.Response;
        response.StatusCode = StatusCodes.Status429TooManyRequests;
        response.Headers.RetryAfter = retryAfter.ToString(CultureInfo.InvariantCulture);
        response.ContentType = "application/problem+json";
        Span<byte> body = stackalloc byte[LengthMax];
        body = body[..Format(status, retryAfter, TraceIdOf(context), body)];
        response.ContentLength = body.Length;

        // The head first: a body that is written before it is kept in a buffer of its own until then.
        var head = response.StartAsync();
        if (!head.IsCompletedSuccessfully)
        {
            return WriteAfterAsync(head, response, body.ToArray());
        }

        response.BodyWriter.Write(body);
        return Task.CompletedTask;
    }

    private static async Task WriteAfterAsync(Task head, HttpResponse response, byte[] body)
    {
        await head;
        response.BodyWriter.Write(body);
    }

    private static string TraceIdOf(HttpContext context)
    {
        var id = Activity.Current?.Id ?? context.TraceIdentifier;
        return id.Length <= TraceIdLengthMax ? id : id[..TraceIdLengthMax];
    }

    /// <summary>A policy's name needs no escaping; what a trace id holds may have come from outside.</summary>
    private static int Format(in PermitStatus status, long retryAfter, string traceId, Span<byte> body)
    {
        const string Start = "{\"type\":\"/problems/" + ProblemTypes.RateLimited
            + "\",\"title\":\"Too many requests\",\"status\":429,\"detail\":\"The limit \\\"";
        traceId = JavaScriptEncoder.Default.Encode(traceId);
        var fits = status.Window > TimeSpan.Zero
            ? Utf8.TryWrite(
                body,
                CultureInfo.InvariantCulture,
                $"{Start}{status.Policy}\\\" allows {status.Limit} requests in {ProblemWriter.Seconds(status.Window)} s; try again in {retryAfter} s.\",\"traceId\":\"{traceId}\"}}",
                out var written)
            : Utf8.TryWrite(
                body,
                CultureInfo.InvariantCulture,
                $"{Start}{status.Policy}\\\" allows {status.Limit} requests at the same time; try again in {retryAfter} s.\",\"traceId\":\"{traceId}\"}}",
                out written);
        return fits ? written : throw new UnreachableException("A refusal's text is longer than it can be.");
    }
}
