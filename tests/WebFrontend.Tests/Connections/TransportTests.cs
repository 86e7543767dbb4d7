using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Marketplace.Frontends;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Connections;

/// <summary>A connection counts once whatever carries it, from its first request to its end.</summary>
public sealed class TransportTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task A_connection_takes_one_slot_whatever_it_sends_and_gives_it_back_at_its_end(HttpTransportType transport)
    {
        await using var host = await HubHost.StartAsync(perUser: 2);
        var frontend = await host.StartFrontendAsync();
        var (first, second) = (Connect(frontend, "ann", transport), Connect(frontend, "ann", transport));
        await first.StartAsync(Cancellation);
        await second.StartAsync(Cancellation);
        for (var i = 0; i < 5; i++)
        {
            await first.InvokeAsync("JoinRoom", LiveChannels.Lobby, Cancellation);
            await second.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        }

        Assert.Equal(2, await host.SlotsOfAsync("ann"));
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => Connect(frontend, "ann", transport).StartAsync(Cancellation));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);

        await first.StopAsync(Cancellation);
        await UntilAsync(async () => await host.SlotsOfAsync("ann") == 1);
        await second.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        await Connect(frontend, "ann", transport).StartAsync(Cancellation);
        Assert.Equal(2, await host.SlotsOfAsync("ann"));
    }

    [Theory]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task When_the_lease_is_lost_a_connection_is_closed_whatever_carries_it(HttpTransportType transport)
    {
        await using var host = await HubHost.StartAsync();
        var frontend = await host.StartFrontendAsync();
        var connection = Connect(frontend, "ann", transport);
        var closed = new TaskCompletionSource();
        connection.Closed += _ =>
        {
            closed.SetResult();
            return Task.CompletedTask;
        };
        await connection.StartAsync(Cancellation);

        await host.Grains.GetGrain<IFrontendLeasesGrain>(0)
            .Release(frontend.Services.GetRequiredService<IFrontendLease>().Epoch!.Value);

        await closed.Task.WaitAsync(Deadline, TimeProvider.System, Cancellation);
        await UntilAsync(async () => await host.SlotsOfAsync("ann") == 0);
    }

    [Fact]
    public async Task A_poll_beyond_the_cap_is_refused_before_its_hub_runs_and_a_send_opens_nothing()
    {
        await using var host = await HubHost.StartAsync(perUser: 1);
        var frontend = await host.StartFrontendAsync();
        using var client = new HttpClient { BaseAddress = new(frontend.Urls.First()) };
        var (first, second) = (await NegotiateAsync(client, "ann"), await NegotiateAsync(client, "ann"));

        using var send = await client.PostAsync(second, new StringContent("{}"), Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, send.StatusCode);
        using var opened = await client.GetAsync(first, Cancellation);
        Assert.Equal(HttpStatusCode.OK, opened.StatusCode);
        using var refused = await client.GetAsync(second, Cancellation);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);

        using var stranger = await client.GetAsync(first.Replace("=ann", "=bob", StringComparison.Ordinal), Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, stranger.StatusCode);
        using var unknown = await client.GetAsync("/hubs/live?access_token=bob&id=nothing", Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.False(frontend.Services.GetRequiredService<AdmittedConnections>().IsOver(
            new DefaultHttpContext { Request = { QueryString = new("?id=nothing") } }.Request)); // nor is it remembered
        await UntilAsync(async () => await host.SlotsOfAsync("bob") == 0);
        Assert.Equal(1, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task A_stateful_reconnect_keeps_its_slot_counts_once_and_misses_nothing()
    {
        await using var host = await HubHost.StartAsync(perUser: 1);
        var frontend = await host.StartFrontendAsync();
        await using var proxy = new CuttableProxy(new Uri(frontend.Urls.First()));
        var connection = HubHost.Connect(proxy.Address, "ann", HttpTransportType.WebSockets);
        var heard = new List<string>();
        connection.On<JsonObject>("Broadcast", message => heard.Add((string)message["text"]!));
        var isClosed = false;
        connection.Closed += _ =>
        {
            isClosed = true;
            return Task.CompletedTask;
        };
        await connection.StartAsync(Cancellation);
        await connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation); // a client's start ends before the hub listens for it
        var hub = frontend.Services.GetRequiredService<IHubContext<LiveHub, ILiveClient>>();

        for (var cut = 1; cut <= 3; cut++)
        {
            proxy.Cut();
            await hub.Clients.User("ann").Broadcast(new($"{cut}", default));
            Assert.Equal(1, await host.SlotsOfAsync("ann"));
            await UntilAsync(() => Task.FromResult(heard.Count >= cut));
            await connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
            Assert.Equal(1, await host.SlotsOfAsync("ann"));
            Assert.Equal(HttpStatusCode.TooManyRequests, (await HubHost.UpgradeAsync(frontend, "ann")).StatusCode);
        }

        Assert.Equal(["1", "2", "3"], heard);
        Assert.False(isClosed);
        await connection.StopAsync(Cancellation);
        await UntilAsync(async () => await host.SlotsOfAsync("ann") == 0);
    }

    private static HubConnection Connect(WebApplication frontend, string user, HttpTransportType transport) =>
        HubHost.Connect(new(frontend.Urls.First()), user, transport);

    private static async Task<string> NegotiateAsync(HttpClient client, string user)
    {
        using var answer = await client.PostAsync($"/hubs/live/negotiate?negotiateVersion=1&access_token={user}", null, Cancellation);
        var token = (string)(await answer.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["connectionToken"]!;
        return $"/hubs/live?id={token}&access_token={user}";
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Deadline, $"It has not come about within {Deadline}.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
    }
}
