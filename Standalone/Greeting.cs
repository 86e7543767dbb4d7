using Marketplace.WebFrontend.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.Standalone;

/// <summary>Says, once everything is up, where to go from here.</summary>
internal sealed class Greeting(IOptions<FrontendSettings> frontend, IHostApplicationLifetime lifetime) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        lifetime.ApplicationStarted.Register(Greet);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Greet()
    {
        var root = $"http://{frontend.Value.Address}:{frontend.Value.Port}";
        Console.WriteLine($"""

            Marketplace is up at {root}
              health   {root}/api/health
              limited  {root}/api/v1/ping   (200 requests in 15 minutes from one address)
              realtime {root}/hubs/live
            The README walks through register, verify, login and connect. Ctrl-C stops everything.

            """);
    }
}

internal static class GreetingExtensions
{
    public static WebApplicationBuilder AddGreeting(this WebApplicationBuilder builder)
    {
        builder.Services.AddHostedService<Greeting>();
        return builder;
    }
}
