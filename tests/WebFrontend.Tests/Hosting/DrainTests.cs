using System.Net;
using Marketplace.Hosting.Stopping;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Hosting;

public sealed class DrainTests
{
    /// <summary>Else proxies send it clients while it refuses them already.</summary>
    [Fact]
    public async Task A_frontend_that_is_told_to_stop_is_unready_before_it_does_anything_else()
    {
        await using var app = await MarketplaceApp.StartAsync();
        Assert.Equal(HttpStatusCode.OK, await ReadyAsync(app));

        var first = app.Services.GetServices<IBeforeStop>().Last(); // they begin in the reverse order of their registration
        await first.BeforeStopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadyAsync(app));
    }

    private static async Task<HttpStatusCode> ReadyAsync(MarketplaceApp app)
    {
        using var answer = await app.Client.GetAsync("/api/health/ready");
        return answer.StatusCode;
    }
}
