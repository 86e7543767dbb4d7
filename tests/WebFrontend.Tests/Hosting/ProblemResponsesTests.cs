using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

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

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task The_trace_id_that_a_client_is_told_finds_the_cause_in_the_log(Type failure, HttpStatusCode expected)
    {
        using var log = new ScopedLog();
        await using var app = await StartAsync(failure, log);
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };

        using var answer = await client.GetAsync("/");

        Assert.Equal(expected, answer.StatusCode);
        var traceId = (string)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["traceId"]!;
        Assert.Contains(log.Entries, entry => entry.Text.Contains(failure.Name, StringComparison.Ordinal)
            && entry.Scopes.Contains(traceId.Split('-')[1], StringComparison.Ordinal)); // 00-trace-span-flags
    }

    [Fact]
    public async Task Trouble_that_every_request_meets_is_logged_once_a_second()
    {
        using var log = new ScopedLog();
        var clock = new FakeTimeProvider();
        await using var app = await StartAsync(typeof(TimeoutException), log, clock);
        using var client = new HttpClient { BaseAddress = new(app.Urls.Single()) };

        await AskAsync(3);
        Assert.Single(log.Entries);

        clock.Advance(TimeSpan.FromSeconds(1));
        await AskAsync(1);
        Assert.Equal(2, log.Entries.Count);
        Assert.Contains("2 more", log.Entries.Last().Text, StringComparison.Ordinal);

        async Task AskAsync(int times)
        {
            for (; times > 0; times--)
            {
                (await client.GetAsync("/")).Dispose();
            }
        }
    }

    [Fact]
    public async Task The_service_s_own_settings_write_scopes_and_times_in_UTC_to_the_console()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        await using var app = builder.Build();

        Assert.Equal(ConsoleFormatterNames.Simple, app.Services.GetRequiredService<IOptions<ConsoleLoggerOptions>>().Value.FormatterName);
        var format = app.Services.GetRequiredService<IOptions<SimpleConsoleFormatterOptions>>().Value;
        Assert.True(format is { IncludeScopes: true, SingleLine: true, UseUtcTimestamp: true, TimestampFormat.Length: > 0 });
    }

    private static async Task<WebApplication> StartAsync(Type failure, ILoggerProvider? log = null, TimeProvider? clock = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        if (log is not null)
        {
            builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning);
            builder.Configuration["Logging:LogLevel:Default"] = "Warning";
            builder.Configuration["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Warning";
        }

        builder.Services.AddSingleton(clock ?? TimeProvider.System);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddProblemResponses();
        var app = builder.Build();
        app.UseProblemResponses();
        app.Map("/", string () => throw (Exception)Activator.CreateInstance(failure)!);
        await app.StartAsync();
        return app;
    }

    /// <summary>What is logged, each entry with the scopes around it.</summary>
    private sealed class ScopedLog : ILoggerProvider, ISupportExternalScope, ILogger
    {
        private IExternalScopeProvider _scopes = new LoggerExternalScopeProvider();

        public ConcurrentQueue<(string Text, string Scopes)> Entries { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => _scopes.Push(state);

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var around = new List<string?>();
            _scopes.ForEachScope((scope, all) => all.Add(scope?.ToString()), around);
            Entries.Enqueue(($"{formatter(state, exception)} {exception}", string.Join(' ', around)));
        }

        public void Dispose()
        {
        }
    }
}
