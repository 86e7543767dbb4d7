using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Marketplace.Client;
using Microsoft.AspNetCore.SignalR.Client;

namespace Client.Tests;

/// <summary>Getting in, and staying in.</summary>
public sealed class ReconnectTests : LiveConnectionTestBase
{
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
}
