using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Realtime;

// JSON and MessagePack in one hub, results, streams.
public abstract partial class HubBehaviourTests
{
    [Fact]
    public async Task Clients_of_both_protocols_are_told_the_same()
    {
        await using var packed = await servers.ConnectAsync(1, messagePack: true);
        var at = new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero);
        await JoinAsync(_group, _a, packed);

        await servers.Hub(2).Clients.Group(_group).SendAsync("Note", new Note(7, "seven", at, [1.5, -2]));
        await servers.Hub(2).Clients.Group(_group).SendAsync("Note", null);
        await packed.Connection.InvokeAsync("SayToGroup", _group, "packed", Cancellation);
        await _a.Connection.InvokeAsync("SayToGroup", _group, "plain", Cancellation);

        string[] expected = [$"7 seven {at:O} 1.5 -2", "(null)", "packed", "plain"];
        await packed.HearsAsync(expected);
        await EndAsync(expected, [], []);
    }

    [Fact]
    public async Task A_client_of_MessagePack_gives_a_result_to_any_server_and_its_error_is_the_askers()
    {
        await using var packed = await servers.ConnectAsync(1, messagePack: true);
        for (var server = 0; server < 3; server++)
        {
            var client = servers.Hub(server).Clients.Client(packed.Id);
            Assert.Equal(42, await client.InvokeAsync<int>("Twice", 21, Cancellation));
            await Assert.ThrowsAsync<HubException>(() => client.InvokeAsync<int>("Twice", -1, Cancellation));
        }
    }

    [Fact]
    public async Task A_result_may_be_null()
    {
        await using var packed = await servers.ConnectAsync(1, messagePack: true);
        for (var server = 0; server < 3; server++)
        {
            Assert.Null(await servers.Hub(server).Clients.Client(_b.Id).InvokeAsync<string?>("Nothing", Cancellation));
            Assert.Null(await servers.Hub(server).Clients.Client(packed.Id).InvokeAsync<string?>("Nothing", Cancellation));
        }
    }

    [Fact]
    public async Task A_result_of_another_type_and_none_at_all_are_errors_for_the_asker()
    {
        await using var packed = await servers.ConnectAsync(1, messagePack: true);
        for (var server = 0; server < 3; server++)
        {
            foreach (var id in new[] { _b.Id, packed.Id })
            {
                var client = servers.Hub(server).Clients.Client(id);
                await Assert.ThrowsAsync<HubException>(() => client.InvokeAsync<int>("Word", Cancellation));
                await Assert.ThrowsAsync<HubException>(() => client.InvokeAsync<int>("Unheard-of", Cancellation));
            }
        }
    }

    [Fact]
    public async Task Who_asked_may_stop_waiting()
    {
        for (var server = 0; server < 3; server++)
        {
            using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
            var asked = servers.Hub(server).Clients.Client(_b.Id).InvokeAsync<int>("Never", cancel.Token);
            await _b.HearsAsync([.. Enumerable.Repeat("never", server + 1)]);
            Assert.False(asked.IsCompleted);

            await cancel.CancelAsync();

            await Assert.ThrowsAsync<HubException>(() => asked);
        }
    }

    [Fact]
    public async Task A_client_that_goes_while_it_is_asked_gives_an_error()
    {
        for (var server = 0; server < 3; server++)
        {
            await using var leaving = await servers.ConnectAsync(1);
            var id = leaving.Id;
            var asked = servers.Hub(server).Clients.Client(id).InvokeAsync<int>("Never", Cancellation);
            await leaving.HearsAsync("never");

            await leaving.DisposeAsync();

            var error = await Record.ExceptionAsync(() => asked.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, Cancellation));
            Assert.True(error is IOException or HubException, error?.ToString()); // its last word may be that it gave up
            await Assert.ThrowsAsync<IOException>(() =>
                servers.Hub(server).Clients.Client(id).InvokeAsync<int>("Twice", 1, Cancellation));
        }
    }

    [Fact]
    public async Task Streams_flow_both_ways()
    {
        await using var packed = await servers.ConnectAsync(1, messagePack: true);
        foreach (var client in new[] { _a, packed })
        {
            var counted = new List<int>();
            await foreach (var number in client.Connection.StreamAsync<int>("Count", 100, Cancellation))
            {
                counted.Add(number);
            }

            Assert.Equal(Enumerable.Range(0, 100), counted);
            Assert.Equal(4_950, await client.Connection.InvokeAsync<int>("Sum", NumbersAsync(100), Cancellation));
        }
    }

    [Fact]
    public async Task Hubs_side_by_side_keep_apart()
    {
        await using var first = await servers.ConnectToAsync(0, $"/other?user={_user}", messagePack: false);
        await using var second = await servers.ConnectToAsync(1, $"/other?user={_user}", messagePack: true);
        await JoinAsync(_group, _a, first);

        await second.Connection.InvokeAsync("SayToAll", "to the other hub", Cancellation);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "to the hub's group");
        await servers.OtherHub(2).Clients.Group(_group).Say("to the other hub's group");
        await servers.OtherHub(2).Clients.User(_user).Say("to the other hub's user");

        Assert.Equal(8, await servers.OtherHub(2).Clients.Client(first.Id).Twice(4));
        Assert.Equal(10, await first.Connection.InvokeAsync<int>("AskOther", second.Id, 5, Cancellation));
        await first.HearsAsync("to the other hub", "to the other hub's group", "to the other hub's user");
        await second.HearsAsync("to the other hub", "to the other hub's user");
        await EndAsync(["to the hub's group"], [], []);
    }

    private static async IAsyncEnumerable<int> NumbersAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Task.Yield();
            yield return i;
        }
    }
}
