using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Marketplace.Client;
using Marketplace.Connections;
using Marketplace.WebFrontend.Connections;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Connections;

/// <summary>By option the newest connection takes the place of the oldest.</summary>
public sealed class ReplacementTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task The_newest_takes_the_place_of_the_oldest_which_is_told_why(HttpTransportType transport)
    {
        await using var host = await HubHost.StartAsync(perUser: 2, whenFull: WhenFull.ReplaceOldest);
        WebApplication[] frontends = [await host.StartFrontendAsync(), await host.StartFrontendAsync()];
        var clients = Enumerable.Range(0, 4).Select(i => new Client(frontends[i % 2], transport)).ToList();
        await clients[0].Connection.StartAsync(Cancellation);
        await clients[1].Connection.StartAsync(Cancellation);

        await clients[2].StartAsync();

        Assert.Contains("was replaced", await clients[0].ClosedAsync(), StringComparison.Ordinal);
        Assert.Equal(2, await host.SlotsOfAsync("ann"));
        await clients[3].StartAsync();
        Assert.Contains("was replaced", await clients[1].ClosedAsync(), StringComparison.Ordinal);
        await clients[2].Connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        await clients[3].Connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        Assert.Equal(2, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task Twenty_connections_at_once_are_never_more_than_two_at_any_moment()
    {
        await using var host = await HubHost.StartAsync(perUser: 2, whenFull: WhenFull.ReplaceOldest);
        WebApplication[] frontends = [await host.StartFrontendAsync(), await host.StartFrontendAsync()];
        var metrics = frontends.Select(frontend => frontend.Services.GetRequiredService<ConnectionMetrics>()).ToList();
        var clients = Enumerable.Range(0, 20).Select(i => new Client(frontends[i % 2], HttpTransportType.WebSockets)).ToList();

        var started = Task.WhenAll(clients.Select(client => client.IsStartedAsync()));
        var most = 0;
        while (!started.IsCompleted)
        {
            most = Math.Max(most, Live() ?? 0);
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Cancellation);
        }

        Assert.InRange(most, 1, 2);
        int? last;
        while ((last = Live()) is null)
        {
        }

        Assert.InRange(last.Value, 1, 2);
        var startedAt = TimeProvider.System.GetTimestamp();
        while (metrics.Sum(frontend => frontend.Live) != await host.SlotsOfAsync("ann"))
        {
            // A slot is given back a moment after its connection is over.
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, "slots are left over");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancellation);
        }

        Assert.Contains(await started, isStarted => isStarted);

        // Who reads one frontend and then the other may see a connection that ended in between and the one that took its place.
        int? Live()
        {
            var (once, again) = (metrics.ConvertAll(frontend => frontend.Live), metrics.ConvertAll(frontend => frontend.Live));
            return once.SequenceEqual(again) ? once.Sum() : null;
        }
    }

    [Fact]
    public async Task A_client_that_never_says_a_word_is_replaced_all_the_same()
    {
        await using var host = await HubHost.StartAsync(perUser: 1, whenFull: WhenFull.ReplaceOldest);
        var frontend = await host.StartFrontendAsync();
        using var mute = new ClientWebSocket();
        await mute.ConnectAsync(new Uri($"{frontend.Urls.First().Replace("http", "ws", StringComparison.Ordinal)}/hubs/live?access_token=ann"), Cancellation);

        await new Client(frontend, HttpTransportType.WebSockets).StartAsync();

        Assert.Equal(1, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task A_late_poll_of_a_connection_that_is_over_replaces_nobody()
    {
        await using var host = await HubHost.StartAsync(perUser: 1, whenFull: WhenFull.ReplaceOldest);
        var frontend = await host.StartFrontendAsync();
        using var http = new HttpClient { BaseAddress = new Uri(frontend.Urls.First()) };
        using var negotiated = await http.PostAsync(new Uri("/hubs/live/negotiate?negotiateVersion=1&access_token=ann", UriKind.Relative), null, Cancellation);
        var token = (await negotiated.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["connectionToken"]!;
        var poll = new Uri($"/hubs/live?id={token}&access_token=ann", UriKind.Relative);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(poll, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await http.DeleteAsync(poll, Cancellation)).StatusCode);
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Cancellation); // SignalR forgets it

        var client = new Client(frontend, HttpTransportType.WebSockets);
        await client.Connection.StartAsync(Cancellation);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(poll, Cancellation)).StatusCode);
        }

        await client.Connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        Assert.Equal(1, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task Who_moves_from_a_frontend_that_stops_replaces_none_of_his_own()
    {
        await using var host = await HubHost.StartAsync(perUser: 2, whenFull: WhenFull.ReplaceOldest);
        WebApplication[] frontends = [await host.StartFrontendAsync(), await host.StartFrontendAsync()];
        var oldest = new Client(frontends[1], HttpTransportType.WebSockets);
        await oldest.Connection.StartAsync(Cancellation);
        await using var moving = new LiveConnection(new()
        {
            Urls = [.. frontends.Select(frontend => new Uri($"{frontend.Urls.First()}/hubs/live?access_token=ann"))],
            AccessToken = (_, _) => Task.FromResult<string?>(null),
        });
        await moving.StartAsync(Cancellation);
        var metrics = frontends.Select(frontend => frontend.Services.GetRequiredService<ConnectionMetrics>()).ToList();
        Assert.Equal([1, 1], metrics.Select(frontend => frontend.Live));

        await frontends[0].Services.GetRequiredService<ConnectionDrain>().BeforeStopAsync(Cancellation);

        for (var startedAt = TimeProvider.System.GetTimestamp(); metrics[1].Live < 2; await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancellation))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, "it doesn't come back");
        }

        await oldest.Connection.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        Assert.Equal(2, await host.SlotsOfAsync("ann"));
    }

    private sealed class Client
    {
        private readonly TaskCompletionSource<Exception?> _closed = new();

        public Client(WebApplication frontend, HttpTransportType transport)
        {
            Connection = HubHost.Connect(new(frontend.Urls.First()), "ann", transport);
            Connection.Closed += error =>
            {
                _closed.TrySetResult(error);
                return Task.CompletedTask;
            };
        }

        public HubConnection Connection { get; }

        public async Task<string?> ClosedAsync() =>
            (await _closed.Task.WaitAsync(Deadline, TimeProvider.System, Cancellation))?.Message;

        /// <summary>Comes again when it is refused: who is to make room may be held up for longer than he has.</summary>
        public async Task StartAsync()
        {
            for (var startedAt = TimeProvider.System.GetTimestamp(); ; await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancellation))
            {
                try
                {
                    await Connection.StartAsync(Cancellation);
                    return;
                }
                catch (Exception error) when (TimeProvider.System.GetElapsedTime(startedAt) < Deadline
                    && error is HttpRequestException { StatusCode: HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable }
                        or WebSocketException or AggregateException)
                {
                    // SignalR keeps the status of an upgrade's refusal to itself
                }
            }
        }

        public async Task<bool> IsStartedAsync()
        {
            try
            {
                await Connection.StartAsync(Cancellation);
                return true;
            }
            catch (Exception error) when (error is HttpRequestException or WebSocketException or AggregateException or IOException
                or HubException or InvalidOperationException or OperationCanceledException)
            {
                return false; // replaced before it had begun
            }
        }
    }
}
