using Marketplace.Client;
using Microsoft.AspNetCore.SignalR;

namespace Client.Tests;

/// <summary>A connection against servers that do everything wrong that a client can set right.</summary>
public sealed class LiveConnectionTests : LiveConnectionTestBase
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Connections_that_are_cut_in_the_middle_of_traffic_lose_and_repeat_nothing(bool isStateful)
    {
        const int messages = 2_000;
        var server = await StartAsync(isStateful: isStateful);
        var live = Connect(server);
        var cut = new HashSet<string>();
        var reading = ReadAsync(live.Follow(Room, LiveStamp.Beginning(Room)), messages);
        await live.StartAsync(Cancellation);
        for (var i = 1; i <= messages; i++)
        {
            server.History.Say(Room, $"{i}");
            if (i % 100 == 0)
            {
                await UntilAsync(() => server.Connections.Keys.Any(id => !cut.Contains(id))); // those that were cut may be there yet
                var before = Connected;
                cut.UnionWith(server.Cut());
                server.History.Say(Room, $"{++i}"); // while it is away
                await UntilAsync(() => Connected > before);
            }
        }

        Assert.Equal(Texts(1, messages), await reading);
        Assert.True(Connected > messages / 150);
    }

    [Fact]
    public async Task A_server_that_repeats_leaves_out_and_mixes_up_is_set_right()
    {
        var server = await StartAsync();
        var n = 0;
        FakeMessage? late = null;
        server.History.Deliver = (send, message) =>
        {
            n++;
            if (n % 7 == 0)
            {
                return;
            }

            if (n % 11 == 0 && late is null)
            {
                late = message;
                return;
            }

            send(message);
            if (n % 5 == 0)
            {
                send(message);
            }

            if (late is not null)
            {
                send(late);
            }

            late = null;
        };
        var live = Connect(server);
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => channel.Position is not null);
        var reading = ReadAsync(channel, 300);
        for (var i = 1; i <= 300; i++)
        {
            server.History.Say(Room, $"{i}");
        }

        server.History.Deliver = (send, message) => send(message);
        server.History.Say(Room, "end");

        Assert.Equal(Texts(1, 300), await reading);
    }

    [Fact]
    public async Task What_a_server_says_it_sent_and_never_does_becomes_a_reload()
    {
        var server = await StartAsync();
        var live = Connect(server);
        var channel = live.Follow(Room);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => channel.Position is not null);
        server.History.Deliver = (send, message) =>
        {
            if (message.Stamp.Number != 1)
            {
                send(message);
            }
        };
        server.History.Say(Room, "lost");
        server.History.Say(Room, "seen by nobody");
        await UntilAsync(() => server.Calls.Count >= 4);
        server.History.Say(Room, "after");

        Assert.Equal("LiveReload", (await ReadAsync(channel, 2))[0]);
    }

    [Fact]
    public async Task What_is_kept_no_longer_is_a_reload_in_its_place()
    {
        var server = await StartAsync();
        var live = Connect(server);
        var channel = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);
        server.History.Say(Room, "1");
        Assert.Equal(["1"], await ReadAsync(channel, 1));

        server.History.Forget(Room, tell: true);
        server.History.Say(Room, "2");
        Assert.Equal(["LiveReload", "2"], await ReadAsync(channel, 2));

        var calls = server.Calls.Count;
        server.History.Forget(Room, tell: false);
        server.Cut();
        await UntilAsync(() => server.Calls.Count > calls);
        Assert.Equal(["LiveReload"], await ReadAsync(channel, 1));
        server.History.Say(Room, "3");
        Assert.Equal(["3"], await ReadAsync(channel, 1));
    }

    [Fact]
    public async Task What_a_slow_reader_cant_take_stays_with_the_server()
    {
        var server = await StartAsync();
        var live = Connect(server, queueMax: 10);
        var channel = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);
        for (var i = 1; i <= 500; i++)
        {
            server.History.Say(Room, $"{i}");
        }

        await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancellation);
        server.History.Say(Room, "501");

        Assert.Equal(Texts(1, 501), await ReadAsync(channel, 501));
        Assert.True(server.Calls.Count > 10, "it asked for what it had no room for");
    }

    [Fact]
    public async Task A_later_run_goes_on_after_what_was_done_with()
    {
        var server = await StartAsync();
        var before = Connect(server);
        var inbox = before.Follow("inbox", LiveStamp.Beginning("inbox"));
        await before.StartAsync(Cancellation);
        for (var i = 1; i <= 5; i++)
        {
            server.History.Say("inbox/me", $"{i}");
        }

        Assert.Equal(["1", "2", "3"], await ReadAsync(inbox, 3));
        var saved = before.Positions;
        await before.DisposeAsync();
        server.History.Say("inbox/me", "6");

        var after = Connect(server);
        var again = after.Follow("inbox", saved.Single());
        await after.StartAsync(Cancellation);

        Assert.Equal(["3", "4", "5", "6"], await ReadAsync(again, 4)); // the third was being handled, and wasn't done
    }

    [Fact]
    public async Task A_room_that_is_refused_ends_and_the_rest_goes_on()
    {
        var server = await StartAsync();
        server.Disturb = (method, argument) => method == "Resume" && argument is "room/secret" ? "This room is not open." : null;
        var live = Connect(server);
        var secret = live.Follow("room/secret");
        var inbox = live.Follow("inbox", LiveStamp.Beginning("inbox"));
        Assert.Throws<InvalidOperationException>(() => live.Follow(Room));
        await live.StartAsync(Cancellation);

        await Assert.ThrowsAsync<LiveRefusedException>(() => ReadAsync(secret, 1));
        server.History.Say("inbox/me", "1");
        Assert.Equal(["1"], await ReadAsync(inbox, 1));

        var lobby = live.Follow(Room, LiveStamp.Beginning(Room));
        server.History.Say(Room, "2");
        Assert.Equal(["2"], await ReadAsync(lobby, 1));
        var waiting = ReadAsync(lobby, 1);
        await lobby.LeaveAsync();
        Assert.Empty(await waiting);
        Assert.Contains(("LeaveRoom", "lobby"), server.Calls);
    }

    [Fact]
    public async Task A_room_that_is_left_and_followed_again_at_once_is_heard()
    {
        const int rounds = 100;
        var server = await StartAsync();
        var live = Connect(server);
        var room = live.Follow(Room, LiveStamp.Beginning(Room));
        await live.StartAsync(Cancellation);
        for (var i = 1; i <= rounds; i++)
        {
            await UntilAsync(() => room.Position is not null && server.Calls.Count == (2 * i) - 1);
            _ = room.LeaveAsync();
            room = live.Follow(Room);
        }

        await UntilAsync(() => room.Position is not null && server.Calls.Count == (2 * rounds) + 1);
        server.History.Say(Room, "1");
        Assert.Equal(["1"], await ReadAsync(room, 1));
        Assert.Equal(
            ["Resume", .. Enumerable.Repeat<string[]>(["LeaveRoom", "Resume"], rounds).SelectMany(pair => pair)],
            server.Calls.Select(call => call.Method));
    }

    [Fact]
    public async Task Broadcasts_come_as_they_are_and_stopping_ends_everything()
    {
        var server = await StartAsync();
        var live = Connect(server);
        var channel = live.Follow(Room);
        var heard = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        live.BroadcastReceived += message => heard.TrySetResult(message.Text);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);
        await server.Hub.Clients.All.SendAsync("Broadcast", new BroadcastMessage("Maintenance", default), Cancellation);
        Assert.Equal("Maintenance", await heard.Task.WaitAsync(Deadline, Cancellation));
        server.Disturb = (_, _) => "cut";
        var send = channel.SendAsync("never acknowledged", cancellationToken: Cancellation);

        await live.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => send);
        Assert.Empty(await ReadAsync(channel, 1));
        Assert.Equal(LiveState.Closed, live.Status.State);
    }
}
