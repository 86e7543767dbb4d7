using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Marketplace.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Client.Tests;

/// <summary>Getting in, staying in, and moving on.</summary>
public sealed class ReconnectTests : LiveConnectionTestBase
{
    [Fact]
    public async Task A_draining_server_is_left_for_another_before_it_stops_and_nothing_is_missed()
    {
        var server = await StartAsync();
        var other = await StartAsync(server.History);
        var live = Connect(server, other);
        var channel = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);
        server.History.Say(Room, "1");

        var drainedAt = TimeProvider.System.GetTimestamp();
        await server.Hub.Clients.All.SendAsync("Draining", 100, Cancellation);
        await UntilAsync(() => other.Connections.Count == 1 && server.Connections.IsEmpty);

        Assert.True(TimeProvider.System.GetElapsedTime(drainedAt) > TimeSpan.FromMilliseconds(90));
        server.History.Say(Room, "2");
        Assert.Equal(["1", "2"], await ReadAsync(channel, 2));
        Assert.DoesNotContain(LiveState.Waiting, States); // it was never without a connection
    }

    [Fact]
    public async Task A_broadcast_that_comes_from_the_old_server_and_the_next_is_heard_once()
    {
        var server = await StartAsync();
        var other = await StartAsync(server.History);
        using var isHeld = new ManualResetEventSlim();
        var isAsked = false;
        server.Disturb = (method, _) => method == "Resume" ? "Please try again." : null;
        var live = Connect(server, other, isTransient: _ =>
        {
            isAsked = true;
            return isHeld.Wait(Deadline); // the old connection isn't closed as long as its channels are busy
        });
        live.Follow(Room);
        var heard = new ConcurrentQueue<string>();
        live.BroadcastReceived += message => heard.Enqueue(message.Text);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => isAsked);
        await server.Hub.Clients.All.SendAsync("Draining", 0, Cancellation);
        await UntilAsync(() => other.Connections.Count == 1);

        string[] texts = ["Maintenance", "at noon"];
        foreach (var (from, last) in new[] { (server, "from the old"), (other, "from the next") })
        {
            foreach (var text in texts.Append(last))
            {
                await from.Hub.Clients.All.SendAsync("Broadcast", new BroadcastMessage(text, DateTimeOffset.UnixEpoch), Cancellation);
            }

            await UntilAsync(() => heard.Contains(last));
        }

        isHeld.Set();
        Assert.Equal([.. texts, "from the old", "from the next"], heard);
    }

    [Fact]
    public async Task A_drain_at_the_cap_of_connections_lets_go_of_the_old_one_first()
    {
        var server = await StartAsync();
        server.Refuse = _ => server.Connections.IsEmpty ? null : (429, null);
        var live = Connect(server);
        var channel = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);
        server.History.Say(Room, "1");
        var old = server.Connections.Keys.Single();

        await server.Hub.Clients.All.SendAsync("Draining", 0, Cancellation);
        await UntilAsync(() => server.Connections.Count == 1 && !server.Connections.ContainsKey(old));

        server.History.Say(Room, "2");
        Assert.Equal(["1", "2"], await ReadAsync(channel, 2));
    }

    [Fact]
    public async Task A_drain_at_the_cap_of_connections_goes_on_at_the_next_address()
    {
        var server = await StartAsync();
        var other = await StartAsync(server.History);
        other.Refuse = _ => other.Negotiations == 1 ? (429, null) : null;
        await Connect(server, other).StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);

        await server.Hub.Clients.All.SendAsync("Draining", 0, Cancellation);
        await UntilAsync(() => other.Connections.Count == 1);

        Assert.Equal((1, 2), (server.Negotiations, other.Negotiations));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_refused_token_is_asked_for_once_more_and_then_it_is_over(bool atNegotiation)
    {
        var server = await StartAsync();
        server.Refuse = context =>
            context.Request.Headers.Authorization == "Bearer new" || (!atNegotiation && !IsUpgrade(context))
                ? null : (401, null);
        var live = Connect(server, accessToken: isRefused => isRefused ? "new" : "old");
        await live.StartAsync(Cancellation);
        Assert.Equal(LiveState.Connected, live.Status.State);

        var refused = Connect(server, accessToken: _ => "old");
        var channel = refused.Follow(Room);
        var send = channel.SendAsync("?", cancellationToken: Cancellation);
        await Assert.ThrowsAsync<LiveRefusedException>(() => refused.StartAsync(Cancellation));
        await Assert.ThrowsAsync<LiveRefusedException>(() => send);
        await Assert.ThrowsAsync<LiveRefusedException>(() => ReadAsync(channel, 1));
    }

    [Theory]
    [InlineData(true, 429)]
    [InlineData(false, 503)]
    public async Task A_server_that_is_full_is_asked_again_when_it_says_and_not_before(bool atNegotiation, int status)
    {
        var server = await StartAsync();
        var refusals = 0;
        server.Refuse = context =>
            atNegotiation != IsUpgrade(context) && Interlocked.Increment(ref refusals) == 1 ? (status, "1") : null;
        var startedAt = TimeProvider.System.GetTimestamp();

        await Connect(server).StartAsync(Cancellation);

        Assert.InRange(TimeProvider.System.GetElapsedTime(startedAt), TimeSpan.FromMilliseconds(990), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task An_upgrade_that_comes_to_another_server_than_the_negotiation_is_repeated_without_one()
    {
        var server = await StartAsync();
        var elsewhere = 0;
        server.Refuse = context => IsUpgrade(context) && context.Request.Query.ContainsKey("id") && ++elsewhere > 0 ? (404, null) : null;

        await Connect(server).StartAsync(Cancellation);

        Assert.Equal((1, 1), (server.Negotiations, elsewhere));
    }

    [Fact]
    public async Task A_drain_whose_upgrade_comes_to_another_server_is_repeated_without_a_negotiation()
    {
        var server = await StartAsync();
        var live = Connect(server);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);
        var old = server.Connections.Keys.Single();
        server.Refuse = context => IsUpgrade(context) && context.Request.Query.ContainsKey("id") ? (404, null) : null;

        await server.Hub.Clients.All.SendAsync("Draining", 0, Cancellation);
        await UntilAsync(() => server.Connections.Count == 1 && !server.Connections.ContainsKey(old));

        Assert.Equal(2, server.Negotiations);
        Assert.DoesNotContain(LiveState.Waiting, States); // it was never without a connection
    }

    [Fact]
    public async Task A_message_whose_answer_is_lost_is_sent_again_and_said_once_and_in_order()
    {
        var server = await StartAsync();
        var sends = 0;
        server.Disturb = (method, _) => method != "SendChat" ? null
            : Interlocked.Increment(ref sends) % 3 == 0 ? "cut" : sends % 7 == 0 ? "Please try again." : null;
        var live = Connect(server);
        var channel = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);

        var stamps = await Task.WhenAll(Texts(1, 60).Select(text => channel.SendAsync(text)));

        Assert.Equal(Enumerable.Range(1, 60).Select(i => (long)i), stamps.Select(stamp => stamp.Number));
        Assert.Equal(Texts(1, 60), await ReadAsync(channel, 60));
        Assert.True(sends > 60);
    }

    [Fact]
    public async Task Sending_is_bounded_can_be_given_up_and_is_told_what_the_server_wont_have()
    {
        var server = await StartAsync();
        var live = Connect(server, pendingSendsMax: 2);
        var channel = live.Follow(Room);
        using var given = new CancellationTokenSource();
        var first = channel.SendAsync("first", cancellationToken: given.Token);
        var second = channel.SendAsync("second", "my name", Cancellation);
        await Assert.ThrowsAsync<InvalidOperationException>(() => channel.SendAsync("third"));
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);

        await live.StartAsync(Cancellation);
        await second;
        Assert.Equal([("Resume", Room), ("SendChat", "my name")], server.Calls);

        server.Disturb = (_, _) => "text must have 1 to 2000 characters.";
        await Assert.ThrowsAsync<HubException>(() => channel.SendAsync(""));
        Assert.Equal(LiveState.Connected, live.Status.State);
        Assert.Throws<InvalidOperationException>(() => { _ = live.Follow("inbox").SendAsync("?"); });
    }

    [Fact]
    public async Task What_is_too_long_for_any_server_is_refused_before_it_waits_and_the_rest_gets_through()
    {
        var server = await StartAsync();
        var live = Connect(server);
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);

        await Assert.ThrowsAsync<ArgumentException>(() => channel.SendAsync(new('x', 4_001), cancellationToken: Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => channel.SendAsync("hello", new('x', 65), Cancellation));

        var longest = await channel.SendAsync(new('\u0001', 4_000), new('\u0001', 64), Cancellation); // six bytes each
        Assert.Equal((1, 1), (longest.Number, Connected));
    }

    [Fact]
    public async Task A_room_whose_leaving_is_refused_for_the_moment_is_left_later()
    {
        var server = await StartAsync();
        var asked = 0;
        server.Disturb = (method, _) => method == "LeaveRoom" && ++asked < 3 ? "Too many calls. Try again in 9 ms." : null;
        var live = Connect(server);
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => channel.Position is not null);

        await channel.LeaveAsync().WaitAsync(Deadline, Cancellation);

        Assert.Equal(3, asked);
    }

    [Fact]
    public async Task What_is_followed_waits_for_no_room_whose_leaving_is_refused()
    {
        var server = await StartAsync();
        var refusals = 0;
        server.Disturb = (method, _) => method == "LeaveRoom" && ++refusals > 0 ? "Please try again." : null;
        var live = Connect(server, retryMax: TimeSpan.FromHours(1), retryFirst: TimeSpan.FromHours(1));
        var left = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => left.Position is not null);
        var leaving = left.LeaveAsync();
        await UntilAsync(() => refusals == 1);

        var inbox = live.Follow("inbox");
        await UntilAsync(() => inbox.Position is not null);
        await live.Follow("room/next").SendAsync("hello", cancellationToken: Cancellation).WaitAsync(Deadline, Cancellation);

        await leaving.WaitAsync(Deadline, Cancellation);
        Assert.Equal(1, refusals);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Settings_that_throw_end_the_start_and_the_readers(bool ofHttp)
    {
        var server = await StartAsync();
        var live = Connect(server, configureHttp: _ => Throw(ofHttp), configureHub: _ => Throw(!ofHttp));
        var channel = live.Follow(Room);

        await Assert.ThrowsAsync<NotSupportedException>(() => live.StartAsync(Cancellation).WaitAsync(Deadline, Cancellation));
        await Assert.ThrowsAsync<NotSupportedException>(() => ReadAsync(channel, 1));
        Assert.Equal((LiveState.Closed, 0), (live.Status.State, server.Negotiations));
    }

    [Fact]
    public async Task A_connection_that_SignalR_would_bring_back_by_itself_is_replaced_by_one_that_asks_for_what_was_missed()
    {
        var server = await StartAsync();
        var live = Connect(server, configureHub: hub => hub.WithAutomaticReconnect());
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => channel.Position is not null);

        await server.CloseAsync("This client reads too slowly.", allowReconnect: true);
        server.History.Say(Room, "1");

        Assert.Equal(["1"], await ReadAsync(channel, 1));
        Assert.Equal(2, Connected);
    }

    [Fact]
    public async Task A_channel_that_is_followed_while_the_connection_ends_ends_as_well_or_is_refused()
    {
        var server = await StartAsync();
        var live = Connect(server, configureHub: _ => Throw(true));
        foreach (var i in Enumerable.Range(0, 2_000))
        {
            live.Follow($"{i}"); // to be ended, which takes its time
        }

        var following = Task.Run(() => FollowUntilClosed(live), Cancellation);
        await Assert.ThrowsAsync<NotSupportedException>(() => live.StartAsync(Cancellation));

        foreach (var channel in await following.WaitAsync(Deadline, Cancellation))
        {
            await Assert.ThrowsAsync<NotSupportedException>(() => ReadAsync(channel, 1));
        }
    }

    [Theory]
    [InlineData("This connection was replaced: you have opened more than you may have at the same time.")]
    [InlineData("This connection was closed by an operator.")]
    public async Task Who_is_closed_on_purpose_is_told_why_and_stays_away(string reason)
    {
        var server = await StartAsync();
        var live = Connect(server);
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => channel.Position is not null);
        var reading = ReadAsync(channel, 1);

        await server.CloseAsync(reason);

        Assert.Equal(reason, (await Assert.ThrowsAsync<LiveRefusedException>(() => reading)).Message);
        await UntilAsync(() => live.Status.State == LiveState.Closed);
        Assert.Equal(reason, Assert.IsType<LiveRefusedException>(live.Status.Error).Message);
        Assert.Equal(1, server.Negotiations);
    }

    [Fact]
    public async Task Who_is_closed_on_purpose_in_the_middle_of_calls_stays_away_as_well()
    {
        var server = await StartAsync();
        for (var i = 0; i < 20; i++)
        {
            var live = Connect(server);
            var channel = live.Follow(Room);
            await live.StartAsync(Cancellation);
            await UntilAsync(() => channel.Position is not null); // the server may not have seen the end of the one before
            var sending = SayAsync(channel);

            await server.CloseAsync("This connection was closed by an operator.");

            await Assert.ThrowsAsync<LiveRefusedException>(() => sending.WaitAsync(Deadline, Cancellation));
        }

        Assert.Equal(20, server.Negotiations);
    }

    [Fact]
    public async Task Who_is_closed_for_another_reason_comes_back()
    {
        var server = await StartAsync();
        await Connect(server).StartAsync(Cancellation);
        await UntilAsync(() => !server.Connections.IsEmpty);

        await server.CloseAsync("This client reads too slowly.");

        await UntilAsync(() => Connected == 2);
    }

    [Fact]
    public async Task An_upgrade_brings_the_cookie_that_the_negotiation_was_given()
    {
        var server = await StartAsync();
        var upgrades = new ConcurrentQueue<(bool HasId, string? Cookie)>();
        server.Refuse = context =>
        {
            if (!IsUpgrade(context))
            {
                context.Response.Cookies.Append("affinity", "here");
                return null;
            }

            upgrades.Enqueue((context.Request.Query.ContainsKey("id"), context.Request.Cookies["affinity"]));
            return upgrades.Last().Cookie == "here" ? null : (404, null);
        };

        await Connect(server).StartAsync(Cancellation).WaitAsync(Deadline, Cancellation);

        Assert.Equal([(true, "here")], upgrades);
        Assert.Equal(1, server.Negotiations);
    }

    [Fact]
    public async Task Certificates_and_credentials_are_for_the_socket_as_well()
    {
        var server = await StartAsync();
        using var key = ECDsa.Create();
        using var certificate = new CertificateRequest("CN=me", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var credentials = new NetworkCredential("me", "secret");
        ClientWebSocketOptions? socket = null;

        await Connect(server, configureHttp: http =>
        {
            http.ClientCertificates!.Add(certificate);
            http.Credentials = credentials;
            http.UseDefaultCredentials = true;
            http.WebSocketConfiguration = options => socket = options;
        }).StartAsync(Cancellation);

        Assert.NotNull(socket);
        Assert.Same(certificate, Assert.Single(socket.ClientCertificates));
        Assert.Same(credentials, socket.Credentials);
        Assert.True(socket.UseDefaultCredentials);
    }

    private static List<LiveChannel> FollowUntilClosed(LiveConnection live)
    {
        var followed = new List<LiveChannel>();
        try
        {
            while (true)
            {
                followed.Add(live.Follow($"late {followed.Count}"));
            }
        }
        catch (ObjectDisposedException)
        {
            return followed;
        }
    }

    private static async Task SayAsync(LiveChannel channel)
    {
        while (true)
        {
            await channel.SendAsync("and on", cancellationToken: Cancellation);
        }
    }

    private static void Throw(bool really)
    {
        if (really)
        {
            throw new NotSupportedException();
        }
    }

    private static bool IsUpgrade(HttpContext context) => context.Request.Headers.Upgrade.Count > 0;
}
