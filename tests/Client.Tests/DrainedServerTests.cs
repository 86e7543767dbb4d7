using System.Collections.Concurrent;
using Marketplace.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Client.Tests;

/// <summary>Moving on from a server that is about to stop.</summary>
public sealed class DrainedServerTests : LiveConnectionTestBase
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
}
