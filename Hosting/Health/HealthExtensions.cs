using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Marketplace.Hosting.Health;

/// <summary>Which checks an endpoint asks.</summary>
public static class HealthTags
{
    /// <summary>The process should get traffic only while these pass.</summary>
    public const string Ready = "ready";
}

public static class HealthExtensions
{
    /// <summary>Ready only while PostgreSQL answers.</summary>
    public static IHealthChecksBuilder AddDatabaseCheck(this IHealthChecksBuilder checks) =>
        checks.AddSharedCheck<DatabaseCheck>("postgresql");

    /// <summary>Ready only while a check passes that asks others, which it does at most once a second and for at most two.</summary>
    public static IHealthChecksBuilder AddSharedCheck<T>(this IHealthChecksBuilder checks, string name) where T : class, IHealthCheck
    {
        checks.Services.TryAddSingleton(TimeProvider.System);
        checks.Services.TryAddSingleton<T>();
        checks.Services.TryAddSingleton<SharedCheck<T>>();
        return checks.AddCheck<SharedCheck<T>>(name, tags: [HealthTags.Ready]);
    }

    /// <summary>
    /// <c>{prefix}/live</c> (200 while the process runs) and <c>{prefix}/ready</c> (200, or 503 with the reasons, while it
    /// should get traffic).
    /// </summary>
    public static IEndpointConventionBuilder MapHealth(this IEndpointRouteBuilder routes, string prefix)
    {
        var group = routes.MapGroup(prefix);
        group.MapHealthChecks("/live", new HealthCheckOptions { Predicate = _ => false, ResponseWriter = WriteAsync });
        group.MapHealthChecks(
            "/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains(HealthTags.Ready), ResponseWriter = WriteAsync });
        return group;
    }

    private static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(context.Response.Body, new
        {
            status = report.Status == HealthStatus.Healthy ? "ok" : "unavailable",
            checks = report.Entries.ToDictionary(
                entry => entry.Key,
                entry => entry.Value.Status == HealthStatus.Healthy ? "ok" : entry.Value.Description ?? "failed"),
        }, JsonSerializerOptions.Web, context.RequestAborted);
    }
}
