using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Marketplace.Cluster;

namespace Cluster.Tests;

/// <summary>SIGTERM, while requests flow.</summary>
public sealed class ShutdownTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_frontend_told_to_stop_finishes_and_exits_0()
    {
        var frontend = Fixture.Cluster.Frontends[1];
        await using var load = new Load([frontend.Address]);
        await using var live = await LiveClient.ConnectAsync(await Fixture.NewUserAsync(), frontend.Address);
        Assert.True(live.IsLive);

        await StopAsync(frontend);

        await AssertAllAnsweredAsync(load);
        Assert.False(live.IsLive);
        await StartAgainAsync(frontend);
    }

    [Fact]
    public async Task A_silo_told_to_stop_finishes_and_exits_0_and_no_request_fails()
    {
        var silo = Fixture.Cluster.Silos[2];
        await using var load = new Load(Fixture.Cluster.Frontends.Select(frontend => frontend.Address));
        await using var live = await LiveClient.ConnectAsync(await Fixture.NewUserAsync(), Fixture.Cluster.Frontends[0].Address);
        Assert.True(live.IsLive);

        await StopAsync(silo);

        await AssertAllAnsweredAsync(load);
        Assert.True(await live.AnswersAsync());
        await StartAgainAsync(silo);
    }

    [Fact]
    public async Task Frontends_that_are_restarted_one_after_the_other_behind_nginx_fail_no_request()
    {
        Assert.SkipWhen(Fixture.Cluster.Nginx is null, "nginx is not installed.");
        await using var gets = new Load([Fixture.Cluster.Address], HttpMethod.Get, asNewClients: true);
        await using var posts = new Load([Fixture.Cluster.Address], HttpMethod.Post, asNewClients: true);

        foreach (var frontend in Fixture.Cluster.Frontends)
        {
            await StopAsync(frontend);
            await StartAgainAsync(frontend);
        }

        await AssertAllAnsweredAsync(gets);
        await AssertAllAnsweredAsync(posts, HttpStatusCode.MethodNotAllowed); // which nginx doesn't know
    }

    private async Task StopAsync(ManagedProcess process)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        var obeyed = await process.StopAsync(StopWithin);
        output.WriteLine($"{process.Name} ended after {TimeProvider.System.GetElapsedTime(startedAt).TotalSeconds:F1} s");
        Assert.True(obeyed, $"{process.Name} was killed after {StopWithin}");
        Assert.Equal(0, process.ExitCode);
    }

    private static async Task StartAgainAsync(ManagedProcess process)
    {
        await process.StartAsync();
        await ClusterFixture.BackAsync(process);
    }

    private async Task AssertAllAnsweredAsync(Load load, HttpStatusCode status = HttpStatusCode.OK)
    {
        await load.DisposeAsync();
        var answers = load.Answers.GroupBy(answer => answer).ToDictionary(group => group.Key, group => group.Count());
        var summary = string.Join(", ", answers.Select(answer => $"{answer.Value} x {answer.Key}"));
        output.WriteLine($"requests: {summary}");
        Assert.True(answers.Keys.All(answer => answer == status.ToString()), summary);
        Assert.InRange(load.Answers.Count, 100, int.MaxValue);
    }

    /// <summary>Pings of new addresses, each of which goes to a silo, until it is disposed or nobody listens any more.</summary>
    private sealed class Load : IAsyncDisposable
    {
        private static int _clients;
        private readonly HttpMethod _method;
        private readonly HttpClient _client;
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _workers;

        /// <param name="frontends">Who is asked.</param>
        /// <param name="method">How; get if null.</param>
        /// <param name="asNewClients">By a connection for each request, from an address of its own: nginx believes no header.</param>
        public Load(IEnumerable<Uri> frontends, HttpMethod? method = null, bool asNewClients = false)
        {
            _method = method ?? HttpMethod.Get;
            _client = asNewClients ? new(new SocketsHttpHandler { ConnectCallback = ConnectAsync, PooledConnectionLifetime = TimeSpan.Zero }) : new();
            _workers = Task.WhenAll(
                frontends.SelectMany(frontend => Enumerable.Repeat(frontend, 4)).Select(frontend => Task.Run(() => WorkAsync(frontend))));
        }

        public ConcurrentQueue<string> Answers { get; } = new();

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _workers;
        }

        private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
        {
            var client = Interlocked.Increment(ref _clients);
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(new IPAddress([127, 77, (byte)(client >> 8), (byte)client]), 0));
                await socket.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        private async Task WorkAsync(Uri frontend)
        {
            while (!_stop.IsCancellationRequested)
            {
                using var request = new HttpRequestMessage(_method, new Uri(frontend, "/api/v1/ping"));
                request.Headers.Add("X-Forwarded-For", ClusterFixture.NewAddress());
                try
                {
                    using var answer = await _client.SendAsync(request);
                    Answers.Enqueue(answer.StatusCode.ToString());
                }
                catch (HttpRequestException error) when (
                    error.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
                {
                    return;
                }
                catch (HttpRequestException error)
                {
                    Answers.Enqueue(error.ToString());
                }

                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
            }
        }
    }
}
