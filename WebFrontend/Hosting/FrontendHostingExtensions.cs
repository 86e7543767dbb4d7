using Marketplace.Hosting.Cluster;
using Marketplace.Hosting.Database;
using Marketplace.Hosting.Health;
using Marketplace.Hosting.Settings;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Health;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Http;
using Marketplace.WebFrontend.Live;
using Marketplace.WebFrontend.Users;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Hosting;

public static class FrontendHostingExtensions
{
    /// <summary>
    /// Adds a whole frontend but its link to the silos, which is <see cref="ClusterClientExtensions.AddClusterClient"/>, or
    /// the silo itself where both share a process.
    /// </summary>
    public static WebApplicationBuilder AddMarketplaceFrontend(this WebApplicationBuilder builder)
    {
        builder.Services.AddMarketplaceDatabase();
        builder.Services.AddSettings<ClusterSettings>(ClusterSettings.Section);
        builder.Services.AddSettings<FrontendSettings>(FrontendSettings.Section);
        builder.AddFrontendKestrel();
        builder.Services.AddProblemResponses();
        builder.Services.AddStrictJson();
        builder.Services.AddHealthChecks().AddDatabaseCheck().AddSharedCheck<ClusterCheck>("cluster");
        builder.Services.AddStartGate();
        builder.Services.AddLimits();
        builder.Services.AddConnectionLimits();
        builder.Services.AddLive();
        builder.Services.AddDrain();
        builder.Services.AddUsers();
        builder.Services.AddSingleton(new ProcessStart(TimeProvider.System.GetTimestamp()));
        return builder;
    }

    /// <summary>The order of the middleware is the path of a request; see docs/architecture.md.</summary>
    public static WebApplication UseMarketplaceFrontend(this WebApplication app)
    {
        app.UseDrain();
        app.UseForwardedHeaders();
        app.UseRouting();
        app.UseFloodGate();
        app.UseProblemResponses();
        app.UseStartGate();
        app.UseRateLimiter();
        app.UseKeptLimitHeaders();
        app.UseRequestTimeouts(); // after the limiter, which has times of its own: a flood that is refused starts no timers
        app.UseBodyTimeout();
        app.UseBodyEncoding();
        app.UseAccessTokens();
        app.UseAccessRules();
        app.MapHealthEndpoints();
        app.MapPing();
        app.MapUsers();
        app.MapLive();
        app.MapOperations().MapLimitOperations();
        app.MapOperations().MapConnectionOperations();
        return app;
    }

    internal static string NameOf(this IOptions<FrontendSettings> settings) =>
        settings.Value.Name is { Length: > 0 } name ? name : $"{Environment.MachineName}-{settings.Value.Port}";
}
