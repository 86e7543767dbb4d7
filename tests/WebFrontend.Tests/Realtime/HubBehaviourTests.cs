using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Realtime;

public sealed class BuiltInHubTests(BuiltInServer servers) : HubBehaviourTests(servers), IClassFixture<BuiltInServer>;

public sealed class OrleansHubTests(OrleansServers servers) : HubBehaviourTests(servers), IClassFixture<OrleansServers>;

/// <summary>
/// What ASP.NET Core documents of a hub, the same for one server with SignalR's own manager and for several with ours. Clients
/// a, b and c are on different servers where there are several. After what is expected comes "end", to everyone: whatever was
/// sent too often or to the wrong ones would have come before it.
/// </summary>
public abstract partial class HubBehaviourTests(Servers servers) : IAsyncLifetime
{
    private readonly string _group = $"group-{Guid.NewGuid():N}";
    private readonly string _user = $"user-{Guid.NewGuid():N}";
    private TestClient _a = null!;
    private TestClient _b = null!;
    private TestClient _c = null!;

    public async ValueTask InitializeAsync()
    {
        _a = await servers.ConnectAsync(0, _user);
        _b = await servers.ConnectAsync(1, _user);
        _c = await servers.ConnectAsync(2, $"{_user}-other");
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var client in new[] { _a, _b, _c })
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task All_are_told_once()
    {
        await _a.Connection.InvokeAsync("SayToAll", "hello");
        await EndAsync(["hello"], ["hello"], ["hello"]);
    }

    [Fact]
    public async Task Others_are_all_but_the_caller()
    {
        await _a.Connection.InvokeAsync("SayToOthers", "hello");
        await EndAsync([], ["hello"], ["hello"]);
    }

    [Fact]
    public async Task All_except_leaves_out_connections_wherever_they_are()
    {
        await servers.Hub(0).Clients.AllExcept(_b.Id, _c.Id).SendAsync("Say", "hello");
        await EndAsync(["hello"], [], []);
    }

    [Fact]
    public async Task A_group_is_told_and_nobody_else()
    {
        await JoinAsync(_group, _a, _b);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await EndAsync(["hello"], ["hello"], []);
    }

    [Fact]
    public async Task Who_left_a_group_is_told_no_more()
    {
        await JoinAsync(_group, _a, _b);
        await _b.Connection.InvokeAsync("Leave", _group);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await EndAsync(["hello"], [], []);
    }

    [Fact]
    public async Task Who_comes_back_to_a_group_is_told_again()
    {
        await JoinAsync(_group, _a);
        for (var i = 0; i < 20; i++)
        {
            await _a.Connection.InvokeAsync("Leave", _group);
            await _a.Connection.InvokeAsync("Join", _group);
        }

        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await EndAsync(["hello"], [], []);
    }

    [Fact]
    public async Task Several_groups_are_told()
    {
        await JoinAsync($"{_group}/1", _a);
        await JoinAsync($"{_group}/2", _c);
        await servers.Hub(1).Clients.Groups($"{_group}/1", $"{_group}/2").SendAsync("Say", "hello");
        await EndAsync(["hello"], [], ["hello"]);
    }

    [Fact]
    public async Task A_group_except_leaves_out_connections()
    {
        await JoinAsync(_group, _a, _b, _c);
        await servers.Hub(1).Clients.GroupExcept(_group, _c.Id).SendAsync("Say", "hello");
        await _b.Connection.InvokeAsync("SayToOthersInGroup", _group, "more");
        await EndAsync(["hello", "more"], ["hello"], ["more"]);
    }

    [Fact]
    public async Task A_user_is_told_on_all_devices()
    {
        await servers.Hub(2).Clients.User(_user).SendAsync("Say", "hello");
        await EndAsync(["hello"], ["hello"], []);
    }

    [Fact]
    public async Task Several_users_are_told_once_each()
    {
        await servers.Hub(1).Clients.Users(_user, $"{_user}-other", _user).SendAsync("Say", "hello");
        await EndAsync(["hello"], ["hello"], ["hello"]);
    }

    [Fact]
    public async Task A_connection_is_told_from_any_server()
    {
        for (var server = 0; server < 3; server++)
        {
            await servers.Hub(server).Clients.Client(_b.Id).SendAsync("Say", $"{server}");
        }

        await EndAsync([], ["0", "1", "2"], []);
    }

    [Fact]
    public async Task Several_connections_are_told_once_each()
    {
        await servers.Hub(0).Clients.Clients(_a.Id, _c.Id, _a.Id).SendAsync("Say", "hello");
        await EndAsync(["hello"], [], ["hello"]);
    }

    [Fact]
    public async Task A_connection_that_does_not_exist_is_no_error_to_send_to()
    {
        await servers.Hub(0).Clients.Client("nobody").SendAsync("Say", "hello");
        await servers.Hub(0).Groups.AddToGroupAsync("nobody", _group);
        await EndAsync([], [], []);
    }

    [Fact]
    public async Task A_connection_is_put_into_a_group_and_taken_out_from_any_server()
    {
        await servers.Hub(0).Groups.AddToGroupAsync(_b.Id, _group);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "in");
        await servers.Hub(0).Groups.RemoveFromGroupAsync(_b.Id, _group);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "out");
        await EndAsync([], ["in"], []);
    }

    [Fact]
    public async Task A_client_gives_a_result_to_any_server()
    {
        for (var server = 0; server < 3; server++)
        {
            Assert.Equal(42, await servers.Hub(server).Clients.Client(_b.Id).InvokeAsync<int>("Twice", 21, Cancellation));
        }

        Assert.Equal(8, await _a.Connection.InvokeAsync<int>("AskOther", _c.Id, 4, Cancellation));
    }

    [Fact]
    public async Task A_clients_error_is_the_askers()
    {
        for (var server = 0; server < 3; server++)
        {
            await Assert.ThrowsAsync<HubException>(() =>
                servers.Hub(server).Clients.Client(_b.Id).InvokeAsync<int>("Twice", -1, Cancellation));
        }
    }

    [Fact]
    public async Task A_client_that_does_not_exist_gives_no_result()
    {
        await Assert.ThrowsAsync<IOException>(() =>
            servers.Hub(0).Clients.Client("nobody").InvokeAsync<int>("Twice", 1, Cancellation));
    }

    [Fact]
    public async Task Who_has_gone_is_forgotten()
    {
        await JoinAsync(_group, _a, _b);
        await _b.Connection.StopAsync(Cancellation);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await servers.Hub(2).Clients.All.SendAsync("Say", "end");
        await _a.HearsAsync("hello", "end");
    }

    [Fact]
    public async Task Messages_of_one_sender_come_in_order()
    {
        await JoinAsync(_group, _a, _b, _c);
        await _a.Connection.InvokeAsync("SayManyToGroup", _group, 300);
        var expected = Enumerable.Range(0, 300).Select(i => $"{i}").ToArray();
        await EndAsync(expected, expected, expected);
    }

    [Fact]
    public async Task What_is_said_to_the_caller_comes_after_what_was_said_to_its_group()
    {
        await JoinAsync(_group, _a);
        var expected = Enumerable.Range(0, 50).SelectMany(i => new[] { $"group {i}", $"caller {i}" }).ToArray();
        await _a.Connection.InvokeAsync("SayToGroupAndCaller", _group, 50, Cancellation);
        await EndAsync(expected, [], []);
    }

    [Fact]
    public async Task Messages_that_were_not_awaited_come_once_and_in_order()
    {
        await JoinAsync(_group, _a, _b, _c);
        await Task.WhenAll(Enumerable.Range(0, 300)
            .Select(i => servers.Hub(1).Clients.Group(_group).SendAsync("Say", $"{i}")).ToArray());
        var expected = Enumerable.Range(0, 300).Select(i => $"{i}").ToArray();
        await EndAsync(expected, expected, expected);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static async Task JoinAsync(string group, params TestClient[] clients)
    {
        foreach (var client in clients)
        {
            await client.Connection.InvokeAsync("Join", group);
        }
    }

    /// <summary>Checks what each was told, up to a last message to all of them.</summary>
    private async Task EndAsync(string[] a, string[] b, string[] c)
    {
        await servers.Hub(0).Clients.Clients(_a.Id, _b.Id, _c.Id).SendAsync("Say", "end");
        await _a.HearsAsync([.. a, "end"]);
        await _b.HearsAsync([.. b, "end"]);
        await _c.HearsAsync([.. c, "end"]);
    }
}
