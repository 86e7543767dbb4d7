using System.Collections.Concurrent;
using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace WebFrontend.Tests.Realtime;

/// <summary>Channels with history, as a hub offers them.</summary>
internal sealed class HistoryHub(IHubHistory<HistoryHub> history, IHubPresence<HistoryHub> presence) : Hub
{
    public Task<HistoryJoined> Follow(string channel, HistoryStamp? after) =>
        history.FollowAsync(Context.ConnectionId, channel, after, Context.ConnectionAborted);

    public void Enter(string place) => presence.Enter(Context.ConnectionId, place);

    public void Exit(string place) => presence.Leave(Context.ConnectionId, place);

    public Task Leave(string channel) => history.LeaveAsync(Context.ConnectionId, channel);

    public Task<HistoryStamp> Say(string channel, string? id, string text) =>
        history.PublishAsync(channel, id, "Said", [text, text.Length], Context.ConnectionAborted);
}

/// <summary>A client that writes down what it was sent, as it was sent: it drops no repeats and asks for nothing it misses.</summary>
internal sealed class HistoryClient : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly ConcurrentQueue<(HistoryStamp Stamp, string Text)> _heard;
    private readonly HubConnection _connection;
    private bool _isGone;

    private HistoryClient(HubConnection connection, ConcurrentQueue<(HistoryStamp, string)> heard)
    {
        (_connection, _heard) = (connection, heard);
        connection.On<HistoryStamp, string, int>("Said", (stamp, text, length) =>
        {
            Assert.Equal(text.Length, length);
            lock (_heard)
            {
                if (!_isGone)
                {
                    _heard.Enqueue((stamp, text));
                }
            }
        });
    }

    public IReadOnlyList<string> Heard => [.. _heard.Select(heard => heard.Text)];

    public IReadOnlyList<long> Numbers => [.. _heard.Select(heard => heard.Stamp.Number)];

    public HistoryStamp? Last => _heard.LastOrDefault().Stamp;

    /// <summary>Connects to a server; what a client before it heard goes on.</summary>
    public static async Task<HistoryClient> ConnectAsync(Servers servers, int server, HistoryClient? before = null)
    {
        var connection = new HubConnectionBuilder().WithUrl($"{servers.AddressOf(server)}history").Build();
        var client = new HistoryClient(connection, before?._heard ?? new());
        await connection.StartAsync();
        return client;
    }

    public Task<HistoryJoined> FollowAsync(string channel, HistoryStamp? after = null) =>
        _connection.InvokeAsync<HistoryJoined>("Follow", channel, after);

    public Task LeaveAsync(string channel) => _connection.InvokeAsync("Leave", channel);

    public Task<HistoryStamp> SayAsync(string channel, string text, string? id = null) =>
        _connection.InvokeAsync<HistoryStamp>("Say", channel, id, text);

    public async Task HearsAsync(params string[] expected)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp();
             _heard.Count < expected.Length && TimeProvider.System.GetElapsedTime(startedAt) < Deadline;)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        Assert.Equal(expected, Heard);
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        lock (_heard)
        {
            _isGone = true; // handlers may still run, and would write down what the next client is sent again
        }
    }
}
