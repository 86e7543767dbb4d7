using Marketplace.Hosting.Health;
using Microsoft.Extensions.Options;

namespace Marketplace.Silo.Hosting;

public static class SiloHealthExtensions
{
    /// <summary>Serves health on the silo's internal port.</summary>
    public static WebApplicationBuilder AddSiloHealth(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel((_, kestrel) =>
        {
            var settings = kestrel.ApplicationServices.GetRequiredService<IOptions<SiloSettings>>().Value;
            kestrel.Listen(settings.Address, settings.HttpPort);
        });
        builder.Services.AddHealthChecks().AddDatabaseCheck().AddCheck<SiloReadiness>("silo", tags: [HealthTags.Ready]);
        return builder;
    }

    /// <summary><c>/health/live</c> and <c>/health/ready</c>.</summary>
    public static WebApplication MapSiloHealth(this WebApplication app)
    {
        app.MapHealth("/health");
        return app;
    }
}
