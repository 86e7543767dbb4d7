using System.Net;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace WebFrontend.Tests.Hosting;

/// <summary>What a client is told when something fails while its request is served.</summary>
public sealed class ProblemResponsesTests
{
    public static TheoryData<Type, HttpStatusCode> Failures => new()
    {
        { typeof(TimeoutException), HttpStatusCode.ServiceUnavailable },
        { typeof(SiloUnavailableException), HttpStatusCode.ServiceUnavailable },
        { typeof(OperationCanceledException), HttpStatusCode.ServiceUnavailable }, // by Orleans, while a silo dies; nobody else gave up
        { typeof(InvalidOperationException), HttpStatusCode.InternalServerError },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Trouble_of_the_cluster_may_be_tried_again_and_a_defect_is_a_defect(Type failure, HttpStatusCode expected)
    {
        await using var app = await StartAsync(failure);
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };

        using var answer = await client.GetAsync("/");

        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal(expected == HttpStatusCode.ServiceUnavailable, answer.Headers.RetryAfter is not null);
    }

    [Fact]
    public async Task Nobody_is_told_that_nothing_was_done_when_that_is_not_known()
    {
        await using var app = await StartAsync(typeof(TimeoutException)); // the answer may be what was lost
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };

        using var answer = await client.PostAsync("/", content: null);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("may or may not have been done", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartAsync(Type failure)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddProblemResponses();
        var app = builder.Build();
        app.UseProblemResponses();
        app.Map("/", string () => throw (Exception)Activator.CreateInstance(failure)!);
        await app.StartAsync();
        return app;
    }
}
