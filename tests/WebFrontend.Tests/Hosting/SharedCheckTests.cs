using System.Net;
using Marketplace.Hosting.Health;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Hosting;

public sealed class SharedCheckTests
{
    [Fact]
    public async Task A_hundred_who_ask_at_once_whether_it_is_ready_cost_one_check_and_a_second_later_there_is_another()
    {
        var clock = new FakeTimeProvider();
        var asked = new Asked();
        await using var app = await StartAsync(clock, asked);
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => ReadyAsync(client)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer));
        Assert.Equal(1, asked.Times);

        clock.Advance(TimeSpan.FromSeconds(1));
        asked.Result = HealthCheckResult.Unhealthy("away");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadyAsync(client));
        Assert.Equal(2, asked.Times);
    }

    private static async Task<HttpStatusCode> ReadyAsync(HttpClient client)
    {
        using var answer = await client.GetAsync("/health/ready");
        return answer.StatusCode;
    }

    private static async Task<WebApplication> StartAsync(TimeProvider clock, Asked asked)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(clock).AddSingleton(asked);
        builder.Services.AddHealthChecks().AddSharedCheck<CountedCheck>("counted");
        var app = builder.Build();
        app.MapHealth("/health");
        await app.StartAsync();
        return app;
    }

    private sealed class Asked
    {
        private int _times;

        public int Times => _times;

        public HealthCheckResult Result { get; set; } = HealthCheckResult.Healthy();

        public void Add() => Interlocked.Increment(ref _times);
    }

    private sealed class CountedCheck(Asked asked) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            asked.Add();
            return Task.FromResult(asked.Result);
        }
    }
}
