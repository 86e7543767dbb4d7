using Microsoft.AspNetCore.SignalR;

namespace WebFrontend.Tests.Realtime;

public sealed class TestHub : Hub
{
    public override async Task OnConnectedAsync()
    {
        if (Context.GetHttpContext()?.Request.Query["group"] is [{ } group])
        {
            await Groups.AddToGroupAsync(Context.ConnectionId, group);
            await Clients.Caller.SendAsync("Say", "welcome");
        }
    }

    /// <summary>Answered when the connection is known.</summary>
    public void BeHere()
    {
    }

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task Leave(string group) => Groups.RemoveFromGroupAsync(Context.ConnectionId, group);

    public Task SayToAll(string text) => Clients.All.SendAsync("Say", text);

    public Task SayToOthers(string text) => Clients.Others.SendAsync("Say", text);

    public Task SayToOthersInGroup(string group, string text) => Clients.OthersInGroup(group).SendAsync("Say", text);

    public async Task SayManyToGroup(string group, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Clients.Group(group).SendAsync("Say", $"{i}");
        }
    }

    public async Task SayToGroupAndCaller(string group, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await Clients.Group(group).SendAsync("Say", $"group {i}");
            await Clients.Caller.SendAsync("Say", $"caller {i}");
        }
    }

    public async Task<int> SayToCallerAndReturn(string text)
    {
        await Clients.Caller.SendAsync("Say", text);
        return text.Length;
    }

    public Task<int> AskOther(string connectionId, int number) =>
        Clients.Client(connectionId).InvokeAsync<int>("Twice", number, Context.ConnectionAborted);

    public Task SayToGroup(string group, string? text) => Clients.Group(group).SendAsync("Say", text);

    public void GoAway() => Context.Abort();

    public async IAsyncEnumerable<int> Count(int to)
    {
        for (var i = 0; i < to; i++)
        {
            await Task.Yield();
            yield return i;
        }
    }

    public async Task<int> Sum(IAsyncEnumerable<int> numbers)
    {
        var sum = 0;
        await foreach (var number in numbers)
        {
            sum += number;
        }

        return sum;
    }
}

/// <summary>A hub beside the other, typed.</summary>
public sealed class OtherHub : Hub<IOtherClient>
{
    /// <inheritdoc cref="TestHub.BeHere"/>
    public void BeHere()
    {
    }

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task SayToAll(string text) => Clients.All.Say(text);

    public Task<int> AskOther(string connectionId, int number) => Clients.Client(connectionId).Twice(number);
}

/// <summary>What clients of <see cref="OtherHub"/> can be told and asked.</summary>
public interface IOtherClient
{
    Task Say(string text);

    Task<int> Twice(int number);
}

/// <summary>Something with all kinds of members.</summary>
public sealed record Note(int Number, string? Text, DateTimeOffset At, IReadOnlyList<double> Values);
