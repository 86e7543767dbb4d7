using System.Net;
using Microsoft.AspNetCore.HttpOverrides;

namespace Marketplace.Bench.AspNet;

/// <summary>What this process consists of. <c>bench/peers/Backplane</c> is the same with a cluster behind it.</summary>
internal static class Peer
{
    /// <summary>Reads the settings and adds what they ask for.</summary>
    public static PeerSettings AddPeer(this WebApplicationBuilder builder)
    {
        var settings = builder.Configuration.Get<PeerSettings>() ?? new();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, settings.Port);
        });
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            options.ForwardLimit = null;
        });
        if (settings.Limiter == LimiterKind.InProcess)
        {
            builder.Services.AddInProcessLimiter(settings);
        }

        if (settings.TokenKey is not null)
        {
            builder.Services.AddPlainHub(settings);
        }

        return settings;
    }

    public static WebApplication UsePeer(this WebApplication app, PeerSettings settings)
    {
        app.UseForwardedHeaders();
        app.MapGet("/api/health", () => TypedResults.Ok()).DisableRateLimiting();
        app.UseRouting();
        if (settings.Limiter == LimiterKind.InProcess)
        {
            app.UseRateLimiter();
        }

        if (settings.TokenKey is not null)
        {
            app.MapPlainHub();
        }

        app.MapGet("/api/v1/ping", () => TypedResults.Text("pong", "text/plain"));
        return app;
    }
}
