using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;

namespace WebFrontend.Tests.Realtime;

public sealed class HubHistoryTests(OrleansServers servers) : IClassFixture<OrleansServers>
{
    private readonly string _channel = $"room/{Guid.NewGuid():N}";

    [Fact]
    public async Task Followers_on_all_servers_are_told_once_in_order_with_rising_numbers()
    {
        await using var a = await ConnectAsync(0);
        await using var b = await ConnectAsync(1);
        await using var c = await ConnectAsync(2);
        foreach (var client in new[] { a, b, c })
        {
            await client.FollowAsync(_channel);
        }

        var first = await a.SayAsync(_channel, "one");
        await b.SayAsync(_channel, "two");
        await c.SayAsync(_channel, "three");

        foreach (var client in new[] { a, b, c })
        {
            await client.HearsAsync("one", "two", "three");
            Assert.Equal([1, 2, 3], client.Numbers);
        }

        Assert.Equal((_channel, 1), (first.Channel, first.Number));
    }

    [Fact]
    public async Task Who_comes_back_on_another_server_gets_what_it_missed_before_anything_newer()
    {
        await using var speaker = await ConnectAsync(0);
        var listener = await ConnectAsync(1);
        await listener.FollowAsync(_channel);
        await speaker.SayAsync(_channel, "heard");
        await listener.HearsAsync("heard");
        await listener.DisposeAsync();
        await speaker.SayAsync(_channel, "missed 1");
        await speaker.SayAsync(_channel, "missed 2");

        await using var again = await ConnectAsync(2, listener);
        var joined = await again.FollowAsync(_channel, listener.Last);
        await speaker.SayAsync(_channel, "live");

        await again.HearsAsync("heard", "missed 1", "missed 2", "live");
        Assert.Equal((3, false), (joined.Stamp.Number, joined.IsReload));
    }

    [Fact]
    public async Task An_id_that_can_not_be_stored_fails_its_own_message_and_nobody_elses()
    {
        await using var speaker = await ConnectAsync(0);
        await using var other = await ConnectAsync(0);
        var said = Enumerable.Range(1, 20).Select(i => other.SayAsync(_channel, $"{i}")).ToList();
        var refused = Enumerable.Range(1, 20).Select(_ => speaker.SayAsync(_channel, "never", id: "nul\0")).ToList();

        await Task.WhenAll(said);
        foreach (var refusal in refused)
        {
            await Assert.ThrowsAsync<HubException>(() => refusal);
        }
    }

    [Fact]
    public async Task Who_begins_now_gets_nothing_older_and_who_begins_at_zero_gets_all()
    {
        await using var speaker = await ConnectAsync(0);
        await speaker.SayAsync(_channel, "old");
        await using var now = await ConnectAsync(1);
        await using var all = await ConnectAsync(1);

        var joined = await now.FollowAsync(_channel);
        await all.FollowAsync(_channel, new(_channel, "0", 0));
        await speaker.SayAsync(_channel, "new");

        await now.HearsAsync("new");
        await all.HearsAsync("old", "new");
        Assert.Equal(1, joined.Stamp.Number);
    }

    [Fact]
    public async Task Who_asks_for_what_is_not_there_is_told_to_reload_and_goes_on_from_now()
    {
        await using var speaker = await ConnectAsync(0);
        var stamp = await speaker.SayAsync(_channel, "old");
        foreach (var unknown in new[] { stamp with { Epoch = "fffffff" }, stamp with { Epoch = "?" }, stamp with { Number = 7 } })
        {
            await using var listener = await ConnectAsync(1);
            var joined = await listener.FollowAsync(_channel, unknown);
            await speaker.SayAsync(_channel, "new");

            await listener.HearsAsync("new");
            Assert.True(joined.IsReload);
        }
    }

    [Fact]
    public async Task Who_has_left_is_told_no_more_and_may_come_back()
    {
        await using var speaker = await ConnectAsync(0);
        await using var listener = await ConnectAsync(1);
        await listener.FollowAsync(_channel);
        await speaker.SayAsync(_channel, "1");
        await listener.HearsAsync("1");

        await listener.LeaveAsync(_channel);
        await speaker.SayAsync(_channel, "2");
        await listener.FollowAsync(_channel);
        await speaker.SayAsync(_channel, "3");

        await listener.HearsAsync("1", "3");
    }

    [Fact]
    public async Task A_message_that_is_sent_again_is_heard_once_and_keeps_its_number()
    {
        await using var speaker = await ConnectAsync(0);
        await using var other = await ConnectAsync(1);
        await speaker.FollowAsync(_channel);

        var first = await speaker.SayAsync(_channel, "once", id: "m-1");
        var again = await other.SayAsync(_channel, "once", id: "m-1");
        await speaker.SayAsync(_channel, "end");

        await speaker.HearsAsync("once", "end");
        Assert.Equal(first, again);
    }

    [Fact]
    public async Task A_name_that_is_too_long_is_refused()
    {
        await using var speaker = await ConnectAsync(0);

        await Assert.ThrowsAsync<HubException>(() => speaker.SayAsync(new string('c', 201), "?"));
        await Assert.ThrowsAsync<HubException>(() => speaker.SayAsync(_channel, "?", id: new string('i', 201)));
    }

    /// <summary>Nothing is filtered or asked for by the client: the servers alone must hand over each message once.</summary>
    [Fact]
    public async Task Clients_that_come_and_go_while_much_is_said_get_every_message_once_and_in_order()
    {
        const int messages = 600;
        await using var speaker = await ConnectAsync(0);
        var start = await speaker.SayAsync(_channel, "start");
        var wanderers = Enumerable.Range(0, 8).Select(i => WanderAsync(i, start, messages)).ToArray();
        var expected = Enumerable.Range(1, messages).Select(i => $"{i}").ToArray();
        foreach (var text in expected)
        {
            await speaker.SayAsync(_channel, text);
        }

        foreach (var heard in await Task.WhenAll(wanderers))
        {
            Assert.Equal(expected, heard);
        }
    }

    private async Task<IReadOnlyList<string>> WanderAsync(int seed, HistoryStamp start, int messages)
    {
        var random = new Random(seed);
        HistoryClient? client = null;
        for (var server = seed; ; server++)
        {
            client = await ConnectAsync(server, client);
            await client.FollowAsync(_channel, client.Last ?? start);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1, 60)), TimeProvider.System);
            var isDone = client.Heard.Count >= messages;
            await client.DisposeAsync();
            if (isDone)
            {
                return client.Heard;
            }
        }
    }

    private Task<HistoryClient> ConnectAsync(int server, HistoryClient? before = null) =>
        HistoryClient.ConnectAsync(servers, server, before);
}
