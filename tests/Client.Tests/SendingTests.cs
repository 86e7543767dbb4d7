using Marketplace.Client;
using Microsoft.AspNetCore.SignalR;

namespace Client.Tests;

/// <summary>What is said in a room, over connections that break.</summary>
public sealed class SendingTests : LiveConnectionTestBase
{
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
}
