using System.Diagnostics.Metrics;
using System.Net;
using Marketplace.WebFrontend.Limits;
using Marketplace.WebFrontend.Limits.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using WebFrontend.Tests.Live;

namespace WebFrontend.Tests.Limits;

/// <summary>What limiting says of itself, and what it costs.</summary>
public sealed class LimitMetersTests(LimitsApp fixture) : IClassFixture<LimitsApp>
{
    private readonly IServiceProvider _services = fixture.App.Services;

    [Fact]
    public async Task Meters_tell_what_was_admitted_denied_and_only_noted_by_policy()
    {
        const string address = "198.18.0.1";
        for (var i = 0; i < 3; i++)
        {
            await SendAsync("by-address", address);
            await SendAsync("in-shadow", address);
        }

        var values = Observe();
        Assert.Equal((1, 2, 0), (values["limits.admitted by-address"], values["limits.denied by-address"], values["limits.shadow_denied by-address"]));
        Assert.Equal((1, 0, 2), (values["limits.admitted in-shadow"], values["limits.denied in-shadow"], values["limits.shadow_denied in-shadow"]));
        Assert.Equal((1, 1), (values["limits.leased by-address"], values["limits.partitions by-address"]));
        Assert.InRange(values["limits.grain_calls by-address"], 1, 2);
        Assert.Equal((0, 0), (values["limits.lease_waste by-address"], values["limits.uncounted by-address"]));
        Assert.Equal(0, values["limits.trouble_seconds by-address"]);
        Assert.InRange(values["limits.grain_calls_per_request by-address"], 1, 2);
    }

    [Fact]
    public async Task A_flood_does_not_reach_the_rate_limiting_middleware()
    {
        var factory = _services.GetRequiredService<IMeterFactory>();
        var refused = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "aspnetcore.rate_limiting.requests" && instrument.Meter.Scope == factory)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            foreach (var tag in tags)
            {
                refused += tag is { Key: "aspnetcore.rate_limiting.result", Value: "global_limiter" } ? 1 : 0;
            }
        });
        listener.Start();

        for (var i = 0; i < 5; i++)
        {
            using var response = await SendAsync("but-address", "198.18.0.2");
            Assert.Equal(i == 0 ? HttpStatusCode.OK : HttpStatusCode.TooManyRequests, response.StatusCode);
        }

        Assert.Equal(1, refused); // the one that its bucket was asked for
    }

    [Fact]
    public async Task An_admitted_request_allocates_nothing_in_the_limiter()
    {
        var limiter = new HttpLimiter(_services.GetRequiredService<LimitPlans>(), new NoHeaders());
        var context = new DefaultHttpContext { Request = { Path = "/api/v1/ping" }, Connection = { RemoteIpAddress = IPAddress.Parse("2001:db8::1") } };
        for (var i = 0; i < 2_000; i++)
        {
            using var lease = await limiter.AcquireAsync(context); // leases grow with use
            Assert.True(lease.IsAcquired);
        }

        var (admitted, allocating) = (0, 0);
        for (var i = 0; i < 500; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            using var lease = limiter.AttemptAcquire(context);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            (admitted, allocating) = (admitted + (lease.IsAcquired ? 1 : 0), allocating + (allocated == 0 ? 0 : 1));
        }

        Assert.InRange(admitted, 100, 500);
        Assert.InRange(allocating, 0, 5); // requests that begin to ask for the next lease
    }

    [Fact]
    public async Task Calls_to_a_hub_that_come_too_fast_are_refused_in_words()
    {
        await using var live = await LiveClient.ConnectAsync(fixture.App, fixture.User, followsInbox: false);
        var calls = Enumerable.Range(0, 12).Select(_ => live.Connection.InvokeAsync("LeaveRoom", "lobby", TestContext.Current.CancellationToken)).ToList();

        var refusal = await Assert.ThrowsAsync<HubException>(() => Task.WhenAll(calls));

        Assert.Matches(@"Too many calls: a connection may make 2 in a second\. Try again in \d+ ms\.$", refusal.Message);
        Assert.InRange(calls.Count(call => call.IsCompletedSuccessfully), 2, 11);
    }

    [Fact]
    public async Task A_client_that_does_not_heed_refusals_is_cut_off()
    {
        await using var live = await LiveClient.ConnectAsync(fixture.App, fixture.User, followsInbox: false);
        var closed = new TaskCompletionSource();
        live.Connection.Closed += _ =>
        {
            closed.TrySetResult();
            return Task.CompletedTask;
        };

        for (var i = 0; i < 40 && live.Connection.State == HubConnectionState.Connected; i++)
        {
            var sending = live.Connection.SendAsync("LeaveRoom", "lobby", TestContext.Current.CancellationToken);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext); // it may be cut off between the two
        }

        await closed.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    private Task<HttpResponseMessage> SendAsync(string path, string address) => fixture.App.Client.SendAsync(
        new(HttpMethod.Get, $"/api/v1/t/{path}") { Headers = { { "X-Forwarded-For", address } } });

    /// <summary>Observable instruments of this service by <c>name policy</c>.</summary>
    private Dictionary<string, double> Observe()
    {
        var factory = _services.GetRequiredService<IMeterFactory>();
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == FrontendLimitMeters.Name && instrument.Meter.Scope == factory && instrument.IsObservable)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => values[$"{instrument.Name} {tags[0].Value}"] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => values[$"{instrument.Name} {tags[0].Value}"] = value);
        listener.Start();
        listener.RecordObservableInstruments();
        return values;
    }

    private sealed class NoHeaders : ILimitHeaders
    {
        public IReadOnlyList<string> Names => [];

        public void Write(IHeaderDictionary headers, ReadOnlySpan<PermitStatus> statuses) => _ = statuses;
    }
}
