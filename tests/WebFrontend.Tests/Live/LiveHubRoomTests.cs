using System.Security.Claims;
using Marketplace.WebFrontend.Live;
using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace WebFrontend.Tests.Live;

/// <summary>Which room a connection is in, when its channel can't be followed.</summary>
public sealed class LiveHubRoomTests
{
    private readonly ChannelThatFails _history = new();
    private readonly LiveHub _hub;

    public LiveHubRoomTests() => _hub = new(new(Options.Create(new LiveSettings())), _history, _history, TimeProvider.System)
    {
        Context = new Caller(),
    };

    [Fact]
    public async Task Who_can_not_be_sent_the_rest_of_a_room_is_in_it_no_longer()
    {
        await _hub.JoinRoom("lobby");
        await _hub.SendChat("m-1", "here");
        Assert.Equal(["lobby"], _history.Present);

        _history.Fails = true;
        await Assert.ThrowsAsync<TimeoutException>(() => _hub.Resume([new("room/lobby", "1", 0)]));

        var error = await Assert.ThrowsAsync<HubException>(() => _hub.SendChat("m-2", "still here?"));
        Assert.Equal("Join a room first, and try again.", error.Message); // which is what our clients do
        Assert.Empty(_history.Present);
    }

    private sealed class ChannelThatFails : IHubHistory<LiveHub>, IHubPresence<LiveHub>
    {
        private static readonly HistoryStamp Stamp = new("room/lobby", "1", 1);

        public bool Fails { get; set; }

        public HashSet<string> Present { get; } = [];

        public Task<HistoryStamp> PublishAsync(
            string channel, string? id, string method, object?[] arguments, CancellationToken cancellationToken = default) =>
            Task.FromResult(Stamp);

        public Task<HistoryJoined> FollowAsync(
            string connectionId, string channel, HistoryStamp? after, CancellationToken cancellationToken = default) =>
            Fails ? Task.FromException<HistoryJoined>(new TimeoutException()) : Task.FromResult(new HistoryJoined(Stamp, IsReload: false));

        public Task LeaveAsync(string connectionId, string channel) => Task.CompletedTask;

        public void Enter(string connectionId, string place) => Present.Add(place);

        public void Leave(string connectionId, string place) => Present.Remove(place);

        public Task<PlacePresence> GetAsync(string place) => throw new NotSupportedException();
    }

    private sealed class Caller : HubCallerContext
    {
        public override string ConnectionId => "c";

        public override string? UserIdentifier => "u";

        public override ClaimsPrincipal? User => null;

        public override IDictionary<object, object?> Items { get; } = new Dictionary<object, object?>();

        public override IFeatureCollection Features { get; } = new FeatureCollection();

        public override CancellationToken ConnectionAborted => CancellationToken.None;

        public override void Abort()
        {
        }
    }
}
