using System.Net;
using Marketplace.Bench.AspNet;
using Microsoft.AspNetCore.HttpOverrides;

// Plain ASP.NET Core: what a frontend costs that has no cluster behind it. It answers as the marketplace's frontend does.
var builder = WebApplication.CreateBuilder(args);
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

var app = builder.Build();
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
await app.RunAsync();
