using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Hosting;

internal static class KestrelExtensions
{
    /// <summary>Sets the server up as <see cref="FrontendSettings"/> says: address, limits, time-outs, trusted proxies.</summary>
    public static WebApplicationBuilder AddFrontendKestrel(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.Services.AddSingleton<ListenSockets>();
        builder.Services.AddHostedService(provider => provider.GetRequiredService<ListenSockets>()); // first, so last to hear of the end
        builder.Services.AddHostedService<FrontendAddressCheck>();
        builder.Services.AddOptions<SocketTransportOptions>()
            .Configure<ListenSockets>((options, sockets) => options.CreateBoundListenSocket = sockets.Create);
        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<FrontendSettings>>((kestrel, settings) =>
        {
            kestrel.Listen(settings.Value.ListenAddress, settings.Value.Port);
            kestrel.Limits.KeepAliveTimeout = settings.Value.KeepAliveTimeout;
            kestrel.Limits.RequestHeadersTimeout = settings.Value.RequestTimeout;
            kestrel.Limits.MaxRequestBodySize = settings.Value.MaxBodyBytes;
            kestrel.Limits.MaxConcurrentConnections = settings.Value.MaxConnections;
            kestrel.Limits.MaxConcurrentUpgradedConnections = settings.Value.MaxConnections;
        });
        builder.Services.AddOptions<ForwardedHeadersOptions>().Configure<IOptions<FrontendSettings>>((options, settings) =>
        {
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto;
            options.ForwardLimit = null; // walks the chain back to the first hop that isn't trusted
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in settings.Value.TrustedNetworks)
            {
                options.KnownIPNetworks.Add(network);
            }
        });
        builder.Services.AddRequestTimeouts();
        builder.Services.AddOptions<Microsoft.AspNetCore.Http.Timeouts.RequestTimeoutOptions>()
            .Configure<IOptions<FrontendSettings>>((options, settings) => options.DefaultPolicy = new()
            {
                Timeout = settings.Value.RequestTimeout,
                TimeoutStatusCode = StatusCodes.Status503ServiceUnavailable,
                WriteTimeoutResponse = context => ProblemWriter.WriteUnavailableAsync(
                    context, "The request took too long.", retryAfter: TimeSpan.FromSeconds(1)),
            });
        return builder;
    }
}
