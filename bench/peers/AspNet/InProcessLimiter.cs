using System.Diagnostics;
using System.Globalization;
using System.Net;
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
            if (settings.Refusal == RefusalBody.Problem)
            {
                options.OnRejected = (rejected, _) => WriteProblemAsync(rejected, settings);
            }
        });
    }

    private static async ValueTask WriteProblemAsync(OnRejectedContext rejected, PeerSettings settings)
    {
        rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait);
        var seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
        var context = rejected.HttpContext;
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
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
                    $"The limit \"general\" allows {settings.Limit} requests in {(long)settings.Window.TotalSeconds} s; try again in {seconds} s."),
            },
        });
    }
}
