using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Realtime;

public sealed class HubPresenceTests(OrleansServers servers) : IClassFixture<OrleansServers>
{
    private readonly string _place = $"room {Guid.NewGuid():N}";

    [Fact]
    public async Task Everyone_in_a_place_knows_who_is_there_and_on_how_many_devices()
    {
        await using var ann = await EnterAsync(0, "ann");
        await using var annsPhone = await EnterAsync(1, "ann");
        await using var bob = await EnterAsync(2, "bob");

        foreach (var visitor in new[] { ann, annsPhone, bob })
        {
            await visitor.SeesAsync("ann 2, bob 1");
        }

        Assert.Equal("ann 2, bob 1", Describe(await GetAsync(1)));
    }

    [Fact]
    public async Task Who_leaves_or_disconnects_is_there_no_more()
    {
        await using var ann = await EnterAsync(0, "ann");
        await using var bob = await EnterAsync(1, "bob");
        var carl = await EnterAsync(1, "carl");
        await ann.SeesAsync("ann 1, bob 1, carl 1");

        await carl.DisposeAsync();
        await ann.SeesAsync("ann 1, bob 1");
        await bob.Connection.InvokeAsync("Exit", _place, TestContext.Current.CancellationToken);
        await ann.SeesAsync("ann 1");

        Assert.Equal("ann 1", Describe(await GetAsync(2)));
    }

    [Fact]
    public async Task Who_comes_back_is_there_again_and_an_empty_place_is_empty()
    {
        for (var i = 0; i < 3; i++)
        {
            await using var ann = await EnterAsync(i, "ann");
            await ann.SeesAsync("ann 1");
            await ann.Connection.InvokeAsync("Exit", _place, TestContext.Current.CancellationToken);
            for (var startedAt = TimeProvider.System.GetTimestamp(); (await GetAsync(i)).Count > 0;)
            {
                Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Visitor.Deadline, "ann is still there");
            }
        }
    }

    private Task<PlacePresence> GetAsync(int server) =>
        servers.ServicesOf(server).GetRequiredService<IHubPresence<HistoryHub>>().GetAsync(_place);

    private static string Describe(PlacePresence presence)
    {
        Assert.Equal(presence.Count, presence.Users.Count);
        return string.Join(", ", presence.Users.Select(user => $"{user.User} {user.Devices}"));
    }

    private async Task<Visitor> EnterAsync(int server, string user)
    {
        var visitor = new Visitor(new HubConnectionBuilder().WithUrl($"{servers.AddressOf(server)}history?user={user}").Build());
        await visitor.Connection.StartAsync();
        await visitor.Connection.InvokeAsync("Enter", _place);
        return visitor;
    }

    /// <summary>A client that remembers who it was last told is there.</summary>
    private sealed class Visitor : IAsyncDisposable
    {
        public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
        private volatile string _seen = "nobody";

        public Visitor(HubConnection connection)
        {
            Connection = connection;
            connection.On<PlacePresence>("Presence", presence => _seen = Describe(presence));
        }

        public HubConnection Connection { get; }

        public async Task SeesAsync(string expected)
        {
            for (var startedAt = TimeProvider.System.GetTimestamp();
                 _seen != expected && TimeProvider.System.GetElapsedTime(startedAt) < Deadline;)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
            }

            Assert.Equal(expected, _seen);
        }

        public ValueTask DisposeAsync() => Connection.DisposeAsync();
    }
}
