using System.Net;
using System.Net.Sockets;
using System.Text;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests.Live;

/// <summary>SIGTERM to a frontend with live connections.</summary>
public sealed class DrainTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int Followers = 190;
    private const int Stubborn = 10;
    private const int PerUser = 5;
    private const int BehindNginx = 40;
    private static readonly TimeSpan Window = ClusterFixture.DrainWindow;

    /// <summary>At once, but for what may hold up a process on a busy machine.</summary>
    private static readonly TimeSpan ToldWithin = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeProvider Clock = TimeProvider.System;

    private ManagedProcess Stopping => Fixture.Cluster.Frontends[1];

    private Uri Other => Fixture.Cluster.Frontends[0].Address;

    [Fact]
    public async Task Clients_of_a_frontend_that_stops_move_to_another_spread_over_the_window_and_none_is_cut_before_its_time()
    {
        var users = new List<ClusterUser>();
        while (users.Count < (Followers + Stubborn) / PerUser)
        {
            users.AddRange(await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Fixture.NewUserAsync())));
        }

        var clients = new List<LiveClient>();
        for (var i = 0; i < Followers + Stubborn; i++)
        {
            clients.Add(await LiveClient.ConnectAsync(users[i / PerUser], Stopping.Address));
        }

        Assert.All(clients, client => Assert.True(client.IsLive));
        using var request = await SlowRequest.BeginAsync(Stopping.Address);

        var stoppedAt = Clock.GetTimestamp();
        var stopping = Stopping.StopAsync(StopWithin);
        var notices = await Task.WhenAll(clients.Select(client => client.Draining))
            .WaitAsync(TimeSpan.FromSeconds(10), Clock, TestContext.Current.CancellationToken);
        var refused = await LiveClient.TryAsync(users[0], Stopping.Address);
        var isReady = await Stopping.IsReadyAsync();
        var answer = await request.EndAsync(); // before Kestrel finds its body too slow, which takes it 5 s
        var moved = await Task.WhenAll(clients.Take(Followers).Select((client, i) => FollowAsync(client, stoppedAt, users[i / PerUser], Other)));
        var closedAt = await Task.WhenAll(clients.Skip(Followers).Select(client => client.Closed))
            .WaitAsync(StopWithin, Clock, TestContext.Current.CancellationToken);
        var obeyed = await stopping;
        var took = Clock.GetElapsedTime(stoppedAt);

        output.WriteLine($"all told after {notices.Max(notice => Clock.GetElapsedTime(stoppedAt, notice.At)).TotalMilliseconds:F0} ms to leave in "
            + $"{notices.Min(notice => notice.AfterMs)} to {notices.Max(notice => notice.AfterMs)} ms; the frontend ended after {took.TotalSeconds:F1} s");
        Assert.All(notices, notice => Assert.InRange(Clock.GetElapsedTime(stoppedAt, notice.At), TimeSpan.Zero, ToldWithin));
        AssertSpread(notices);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, false), (refused, isReady));
        Assert.All(moved, client => Assert.True(client.IsLive, $"a client that followed got {client.Status}"));
        Assert.All(await Task.WhenAll(moved.Select(client => client.AnswersAsync())), Assert.True);
        foreach (var (notice, closed) in notices.Skip(Followers).Zip(closedAt))
        {
            var stayed = Clock.GetElapsedTime(stoppedAt, closed);
            Assert.InRange(stayed.TotalMilliseconds, notice.AfterMs + 2_500, Window.TotalMilliseconds + 10_000);
        }

        Assert.StartsWith("HTTP/1.1 401", answer, StringComparison.Ordinal);
        Assert.True(obeyed, "it was killed");
        Assert.Equal(0, Stopping.ExitCode);
        await DisposeAsync(clients.Concat(moved));
    }

    /// <summary>The frontend that drains is the emptiest of all, so a balancer that counts connections would choose it each time.</summary>
    [Fact]
    public async Task Behind_nginx_no_client_is_sent_back_to_the_frontend_that_stops()
    {
        Assert.SkipWhen(Fixture.Cluster.Nginx is null, "nginx is not installed.");
        var nginx = Fixture.Cluster.Address;
        var users = await Task.WhenAll(Enumerable.Range(0, BehindNginx / PerUser).Select(_ => Fixture.NewUserAsync()));
        var negotiator = await Fixture.NewUserAsync();
        var clients = new List<LiveClient>();
        for (var i = 0; i < BehindNginx; i++)
        {
            clients.Add(await LiveClient.ConnectAsync(users[i / PerUser], nginx, negotiates: false));
        }

        Assert.All(clients, client => Assert.True(client.IsLive, $"a client got {client.Status}"));
        using var stop = new CancellationTokenSource();
        var negotiating = NegotiateAsync(negotiator, nginx, stop.Token);

        var stoppedAt = Clock.GetTimestamp();
        var stopping = Stopping.StopAsync(StopWithin);
        var movers = clients.Select((client, i) => MoveAsync(client, users[i / PerUser])).ToList();
        var after = await Task.WhenAll(movers);
        await stop.CancelAsync();
        var negotiations = await negotiating;

        var moved = after.Except(clients).ToList();
        output.WriteLine($"{moved.Count} of {clients.Count} clients moved; {negotiations.Count} negotiations meanwhile");
        Assert.InRange(moved.Count, 1, clients.Count - 1);
        Assert.All(after, client => Assert.True(client.IsLive, $"a client got {client.Status}"));
        Assert.All(await Task.WhenAll(after.Select(client => client.AnswersAsync())), Assert.True);
        Assert.All(negotiations, status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.True(await stopping, "it was killed");
        await DisposeAsync(clients.Concat(moved));

        async Task<LiveClient> MoveAsync(LiveClient client, ClusterUser user) =>
            await Task.WhenAny(client.Draining, stopping) == client.Draining ? await FollowAsync(client, stoppedAt, user, nginx, negotiates: false) : client;
    }

    [Fact]
    public async Task A_second_signal_ends_the_waiting()
    {
        var user = await Fixture.NewUserAsync();
        await using var live = await LiveClient.ConnectAsync(user, Stopping.Address);
        var stopping = Stopping.StopAsync(StopWithin);
        var notice = await live.Draining.WaitAsync(TimeSpan.FromSeconds(10), Clock, TestContext.Current.CancellationToken);

        var startedAt = Clock.GetTimestamp();
        Stopping.Signal(UnixProcess.SigTerm);

        Assert.True(await stopping, "it was killed");
        var took = Clock.GetElapsedTime(startedAt);
        output.WriteLine($"told to leave in {notice.AfterMs} ms; the frontend ended {took.TotalSeconds:F1} s after the second signal");
        Assert.InRange(took, TimeSpan.Zero, Window - TimeSpan.FromSeconds(5));
        Assert.Equal(0, Stopping.ExitCode);
    }

    /// <summary>Leaves at its time, reckoned from the stop: a client that is held up hears of it late.</summary>
    private static async Task<LiveClient> FollowAsync(LiveClient client, long stoppedAt, ClusterUser user, Uri other, bool negotiates = true)
    {
        var notice = await client.Draining;
        var leaveAfter = TimeSpan.FromMilliseconds(notice.AfterMs);
        var wait = leaveAfter - Clock.GetElapsedTime(stoppedAt);
        await Task.Delay(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Clock);
        Assert.True(
            client.IsLive || Clock.GetElapsedTime(stoppedAt, await client.Closed) >= leaveAfter, $"cut before its {notice.AfterMs} ms");
        await client.DisposeAsync();

        // Its slot comes back in a moment; until then its user may have as many connections as a user may.
        var next = await LiveClient.ConnectAsync(user, other, negotiates);
        for (var attempt = 1; next.Status == HttpStatusCode.TooManyRequests && attempt < 100; attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), Clock);
            await next.DisposeAsync();
            next = await LiveClient.ConnectAsync(user, other, negotiates);
        }

        return next;
    }

    /// <summary>Negotiates again and again, and returns what it was answered.</summary>
    private static async Task<IReadOnlyCollection<HttpStatusCode>> NegotiateAsync(
        ClusterUser user, Uri frontend, CancellationToken cancellationToken)
    {
        using var http = user.ClientOf(frontend);
        var answers = new List<HttpStatusCode>();
        while (!cancellationToken.IsCancellationRequested)
        {
            using var answer = await http.PostAsync("/hubs/live/negotiate?negotiateVersion=1", null, CancellationToken.None);
            answers.Add(answer.StatusCode);
            await Task.Delay(TimeSpan.FromMilliseconds(20), Clock, CancellationToken.None);
        }

        return answers;
    }

    /// <summary>A fifth of the clients leaves in each fifth of the window.</summary>
    private static void AssertSpread(IReadOnlyCollection<DrainNotice> notices)
    {
        var fifth = Window.TotalMilliseconds / 5;
        var counts = notices.GroupBy(notice => (int)Math.Ceiling(notice.AfterMs / fifth)).ToDictionary(group => group.Key, group => group.Count());
        Assert.Equal([1, 2, 3, 4, 5], counts.Keys.Order());
        Assert.All(counts.Values, count => Assert.InRange(count, (notices.Count / 5) - 2, (notices.Count / 5) + 2));
    }

    /// <summary>Other tests count on the frontend.</summary>
    public override async ValueTask DisposeAsync()
    {
        if (!Stopping.IsRunning)
        {
            await Stopping.StartAsync();
            await ClusterFixture.BackAsync(Stopping);
        }

        await base.DisposeAsync();
    }

    private static async Task DisposeAsync(IEnumerable<LiveClient> clients)
    {
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    /// <summary>A login whose body is still on its way.</summary>
    private sealed class SlowRequest : IDisposable
    {
        private static readonly byte[] Body = Encoding.UTF8.GetBytes("{\"email\":\"nobody@example.org\",\"password\":\"not the right one\"}");
        private readonly TcpClient _client = new();

        public static async Task<SlowRequest> BeginAsync(Uri frontend)
        {
            var request = new SlowRequest();
            await request._client.ConnectAsync(frontend.Host, frontend.Port);
            await request._client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /api/v1/auth/login HTTP/1.1\r\nHost: {frontend.Authority}\r\nX-Forwarded-For: {ClusterFixture.NewAddress()}\r\n"
                + $"Content-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n"));
            await request._client.GetStream().WriteAsync(Body.AsMemory(0, 10));
            return request;
        }

        public async Task<string> EndAsync()
        {
            await _client.GetStream().WriteAsync(Body.AsMemory(10));
            var answer = new byte[1_000];
            return Encoding.ASCII.GetString(answer, 0, await _client.GetStream().ReadAsync(answer));
        }

        public void Dispose() => _client.Dispose();
    }
}
