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

    [Fact]
    public async Task Every_answer_of_a_frontend_that_drains_ends_its_connection()
    {
        await using var app = await MarketplaceApp.StartAsync();
        Assert.False(await EndsConnectionAsync(app, "/api/v1/ping"));

        await app.Services.GetServices<IBeforeStop>().Last().BeforeStopAsync(TestContext.Current.CancellationToken);

        Assert.True(await EndsConnectionAsync(app, "/api/v1/ping"));
        Assert.True(await EndsConnectionAsync(app, "/not-there"));
    }

    private static async Task<bool> EndsConnectionAsync(MarketplaceApp app, string path)
    {
        using var answer = await app.Client.GetAsync(path);
        return answer.Headers.ConnectionClose == true;
    }

    private static async Task<HttpStatusCode> ReadyAsync(MarketplaceApp app)
    {
        using var answer = await app.Client.GetAsync("/api/health/ready");
        return answer.StatusCode;
    }
}
