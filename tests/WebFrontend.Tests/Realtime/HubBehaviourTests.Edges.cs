using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Realtime;

// Names, nobody, and repetition.
public abstract partial class HubBehaviourTests
{
    public static TheoryData<string> OddNames => ["", " ", "a/b/../c", "group/x", "ümläut 😀 \u0000 \n", new string('n', 2_000), "%2F?#&", "all"];

    [Theory]
    [MemberData(nameof(OddNames))]
    public async Task A_group_may_have_any_name(string name)
    {
        var group = name.Length is 0 or > 1_000 ? name : $"{name}{_group}";
        await JoinAsync(group, _a, _b);
        await servers.Hub(2).Clients.Group(group).SendAsync("Say", "hello");
        await _b.Connection.InvokeAsync("Leave", group);
        await _c.Connection.InvokeAsync("SayToGroup", group, "more", Cancellation);
        await _a.Connection.InvokeAsync("Leave", group);
        await servers.Hub(2).Clients.Group(group).SendAsync("Say", "nobody");
        await EndAsync(["hello", "more"], ["hello"], []);
    }

    [Fact]
    public async Task Names_of_groups_and_users_are_told_apart_by_case()
    {
        await JoinAsync(_group, _a);
        await JoinAsync(_group.ToUpperInvariant(), _b);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await servers.Hub(2).Clients.User(_user.ToUpperInvariant()).SendAsync("Say", "nobody");
        await EndAsync(["hello"], [], []);
    }

    [Fact]
    public async Task A_user_and_a_group_of_one_name_are_two()
    {
        await JoinAsync(_user, _c);
        await servers.Hub(1).Clients.Group(_user).SendAsync("Say", "group");
        await servers.Hub(1).Clients.User(_user).SendAsync("Say", "user");
        await EndAsync(["user"], ["user"], ["group"]);
    }

    [Fact]
    public async Task A_group_is_told_by_who_is_not_in_it()
    {
        await JoinAsync(_group, _a, _b);
        await _c.Connection.InvokeAsync("SayToGroup", _group, "hello", Cancellation);
        await _c.Connection.InvokeAsync("SayToOthersInGroup", _group, "others", Cancellation);
        await EndAsync(["hello", "others"], ["hello", "others"], []);
    }

    [Fact]
    public async Task Who_joined_twice_is_told_once_and_leaves_once()
    {
        await JoinAsync(_group, _a, _a, _b);
        await servers.Hub(1).Groups.AddToGroupAsync(_a.Id, _group, Cancellation);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await servers.Hub(1).Groups.RemoveFromGroupAsync(_a.Id, _group, Cancellation);
        await servers.Hub(1).Groups.RemoveFromGroupAsync(_a.Id, _group, Cancellation);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "more");
        await EndAsync(["hello"], ["hello", "more"], []);
    }

    [Fact]
    public async Task Who_joins_while_connecting_is_told()
    {
        await using var joined = await servers.ConnectToAsync(1, $"/hub?group={_group}", messagePack: true);
        await joined.HearsAsync("welcome");
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await joined.HearsAsync("welcome", "hello");
    }

    [Fact]
    public async Task Who_goes_while_joining_is_forgotten()
    {
        for (var i = 0; i < 10; i++)
        {
            var leaving = await servers.ConnectAsync(i);
            var joining = Enumerable.Range(0, 5)
                .Select(_ => servers.Hub(i + 1).Groups.AddToGroupAsync(leaving.Id, _group, Cancellation)).ToArray();
            await leaving.DisposeAsync();
            await Task.WhenAll(joining);
        }

        await JoinAsync(_group, _a);
        await servers.Hub(2).Clients.Group(_group).SendAsync("Say", "hello");
        await EndAsync(["hello"], [], []);
    }

    [Fact]
    public async Task Whom_a_hub_aborts_is_gone()
    {
        var closed = new TaskCompletionSource();
        _b.Connection.Closed += _ =>
        {
            closed.TrySetResult();
            return Task.CompletedTask;
        };
        await _b.Connection.SendAsync("GoAway", Cancellation);
        await closed.Task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, Cancellation);
        await servers.Hub(2).Clients.User(_user).SendAsync("Say", "hello");
        await servers.Hub(0).Clients.All.SendAsync("Say", "end");
        await _a.HearsAsync("hello", "end");
        await _c.HearsAsync("end");
    }

    [Fact]
    public async Task Nobody_and_no_names_are_no_errors()
    {
        var clients = servers.Hub(1).Clients;
        await clients.Clients([]).SendAsync("Say", "nobody");
        await clients.Groups([]).SendAsync("Say", "nobody");
        await clients.Users([]).SendAsync("Say", "nobody");
        await clients.Group($"{_group}-of-nobody").SendAsync("Say", "nobody");
        await clients.User($"{_user}-of-nobody").SendAsync("Say", "nobody");
        await clients.AllExcept(_a.Id, _b.Id, _c.Id, "nobody").SendAsync("Say", "nobody");
        await servers.Hub(1).Groups.RemoveFromGroupAsync("nobody", _group, Cancellation);
        await servers.Hub(1).Groups.RemoveFromGroupAsync(_a.Id, $"{_group}-not-joined", Cancellation);
        await EndAsync([], [], []);
    }

    [Fact]
    public async Task Except_nobody_is_everybody()
    {
        await JoinAsync(_group, _a, _b);
        await servers.Hub(1).Clients.AllExcept([]).SendAsync("Say", "all");
        await servers.Hub(1).Clients.GroupExcept(_group, ["nobody", "nobody"]).SendAsync("Say", "group");
        await servers.Hub(1).Clients.GroupExcept(_group, [_a.Id, _b.Id, _a.Id]).SendAsync("Say", "nobody");
        await EndAsync(["all", "group"], ["all", "group"], ["all"]);
    }

    [Fact]
    public async Task Arguments_may_be_null_many_or_none()
    {
        await servers.Hub(1).Clients.All.SendAsync("Say", null);
        await servers.Hub(1).Clients.All.SendAsync("Pause");
        await servers.Hub(1).Clients.All.SendCoreAsync("Say", ["one"]);
        await _a.Connection.InvokeAsync("SayToAll", null, Cancellation);
        string[] expected = ["(null)", "pause", "one", "(null)"];
        await EndAsync(expected, expected, expected);
    }

    [Fact]
    public async Task No_name_is_the_callers_error()
    {
        var clients = servers.Hub(1).Clients;
        await Assert.ThrowsAsync<ArgumentNullException>(() => clients.Client(null!).SendAsync("Say", "hello"));
        await Assert.ThrowsAsync<ArgumentNullException>(() => clients.Group(null!).SendAsync("Say", "hello"));
        await Assert.ThrowsAsync<ArgumentNullException>(() => clients.Client(null!).InvokeAsync<int>("Twice", 1, Cancellation));
        await Assert.ThrowsAsync<ArgumentNullException>(() => servers.Hub(1).Groups.AddToGroupAsync(null!, _group));
        await Assert.ThrowsAsync<ArgumentNullException>(() => servers.Hub(1).Groups.RemoveFromGroupAsync(_a.Id, null!));
    }
}
