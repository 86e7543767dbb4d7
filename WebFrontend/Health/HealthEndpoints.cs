using System.Reflection;
using Marketplace.Hosting.Health;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Health;

internal static class HealthEndpoints
{
    private static readonly string Version =
        typeof(HealthEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public static IEndpointRouteBuilder MapHealthEndpoints(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/health", GetHealth).DisableRequestTimeout();
        routes.MapHealth("/api/health");
        return routes;
    }

    public static IEndpointRouteBuilder MapPing(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/v1/ping", GetPing).DisableRequestTimeout();
        return routes;
    }

    // These two wait for nothing, so that no timer is started for each.
    private static Ok<HealthAnswer> GetHealth(ProcessStart start) =>
        TypedResults.Ok(new HealthAnswer("ok", Version, Math.Round(TimeProvider.System.GetElapsedTime(start.Timestamp).TotalSeconds, 1)));

    /// <summary>The limited endpoint that does nothing else: what it costs is what the limiter costs.</summary>
    private static ContentHttpResult GetPing() => TypedResults.Text("pong", "text/plain");
}

/// <summary>The answer of <c>/api/health</c>.</summary>
/// <param name="Status">Always <c>ok</c>: the process answers. Whether it should get traffic is <c>/api/health/ready</c>'s.</param>
/// <param name="Version">The program's version.</param>
/// <param name="UptimeSeconds">Seconds since the process started.</param>
internal sealed record HealthAnswer(string Status, string Version, double UptimeSeconds);

/// <summary>When this process started, by its monotonic clock.</summary>
internal sealed record ProcessStart(long Timestamp);
