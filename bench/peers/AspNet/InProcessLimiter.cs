using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Unicode;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.RateLimiting;

namespace Marketplace.Bench.AspNet;

/// <summary>ASP.NET Core's rate limiter as its documentation sets it up: a fixed window for each client address.</summary>
internal static class InProcessLimiter
{
    public static IServiceCollection AddInProcessLimiter(this IServiceCollection services, PeerSettings settings)
    {
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
            context.ProblemDetails.Extensions["traceId"] = Activity.Current?.Id ?? context.HttpContext.TraceIdentifier);
        return services.AddRateLimiter(options =>
        {
            options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, IPAddress>(context =>
                RateLimitPartition.GetFixedWindowLimiter(context.Connection.RemoteIpAddress ?? IPAddress.None, _ => new()
                {
                    PermitLimit = settings.Limit,
                    Window = settings.Window,
                    QueueLimit = 0,
                }));
            var policy = string.Create(CultureInfo.InvariantCulture, $"\"general\";q={settings.Limit};w={Seconds(settings.Window)}");
            options.OnRejected = settings.Refusal switch
            {
                RefusalBody.Problem => (rejected, _) => WriteProblemAsync(rejected, settings, policy),
                RefusalBody.Bytes => (rejected, _) => WriteBytesAsync(rejected, settings, policy),
                _ => null,
            };
        });
    }

    private static long Seconds(TimeSpan time) => Math.Max(1, (long)Math.Ceiling(time.TotalSeconds));

    /// <returns>Seconds until the window ends.</returns>
    private static long WriteHeaders(OnRejectedContext rejected, string policy)
    {
        rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait);
        var seconds = Seconds(wait);
        var headers = rejected.HttpContext.Response.Headers;
        headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        headers["RateLimit-Policy"] = policy;
        headers["RateLimit"] = string.Create(CultureInfo.InvariantCulture, $"\"general\";r=0;t={seconds}");
        return seconds;
    }

    private static async ValueTask WriteBytesAsync(OnRejectedContext rejected, PeerSettings settings, string policy)
    {
        const int LengthMax = 512;
        var seconds = WriteHeaders(rejected, policy);
        var response = rejected.HttpContext.Response;
        response.ContentType = "application/problem+json";
        var traceId = Activity.Current?.Id ?? rejected.HttpContext.TraceIdentifier;
        var body = ArrayPool<byte>.Shared.Rent(LengthMax);
        Utf8.TryWrite(
            body,
            CultureInfo.InvariantCulture,
            $$"""{"type":"/problems/rate-limited","title":"Too many requests","status":429,"detail":"The limit \"general\" allows {{settings.Limit}} requests in {{Seconds(settings.Window)}} s; try again in {{seconds}} s.","traceId":"{{traceId}}"}""",
            out var length);
        response.ContentLength = length;
        await response.StartAsync();
        response.BodyWriter.Write(body.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(body);
    }

    private static async ValueTask WriteProblemAsync(OnRejectedContext rejected, PeerSettings settings, string policy)
    {
        var seconds = WriteHeaders(rejected, policy);
        var context = rejected.HttpContext;
        await context.RequestServices.GetRequiredService<IProblemDetailsService>().TryWriteAsync(new()
        {
            HttpContext = context,
            ProblemDetails = new ProblemDetails
            {
                Status = StatusCodes.Status429TooManyRequests,
                Type = "/problems/rate-limited",
                Title = "Too many requests",
                Detail = string.Create(
                    CultureInfo.InvariantCulture,
                    $"The limit \"general\" allows {settings.Limit} requests in {Seconds(settings.Window)} s; try again in {seconds} s."),
            },
        });
    }
}
