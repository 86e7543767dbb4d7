using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Marketplace.WebFrontend.Live;
using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using WebFrontend.Tests.Users;

namespace WebFrontend.Tests.Live;

/// <summary>The live hub in the whole service, over its own backplane and lease.</summary>
public sealed class LiveHubTests(UsersApp fixture) : IClassFixture<UsersApp>
{
    private const string WrongId = "clientMessageId must have 1 to 64 characters, none of which is a control character.";
    private const string WrongText = "text must have 1 to 2000 characters.";
    private const string NotBound = "Failed to invoke 'SendChat' due to an error on the server.";
    private const int Burst = 2_000;
    private const int Batch = 250;
    private readonly MarketplaceApp _app = fixture.App;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_said_in_the_lobby_reaches_all_who_joined_it()
    {
        var (a, b) = (await LoginAsync("chat-a@example.com"), await LoginAsync("chat-b@example.com"));
        await using var live = await LiveClient.ConnectAsync(_app, a);
        await using var other = await LiveClient.ConnectAsync(_app, b);
        await live.Connection.InvokeAsync("JoinRoom", "lobby", Cancellation);
        await other.Connection.InvokeAsync("JoinRoom", "lobby", Cancellation);

        await live.Connection.InvokeAsync("SendChat", "m-1", "Good morning", Cancellation);

        foreach (var client in new[] { live, other })
        {
            var chat = await client.NextAsync("Chat");
            Assert.Equal(
                ("lobby", await _app.IdOfAsync(a), "m-1", "Good morning"),
                ((string)chat["room"]!, (string)chat["from"]!, (string)chat["clientMessageId"]!, (string)chat["text"]!));
            Assert.Equal(TimeSpan.Zero, chat["sentAt"]!.GetValue<DateTimeOffset>().Offset);
        }
    }

    [Fact]
    public async Task Wrong_calls_are_answered_in_words_and_the_connection_lives_on()
    {
        await using var live = await LiveClient.ConnectAsync(_app, await LoginAsync("wrong@example.com"));
        Assert.EndsWith("This room is not open.", await live.ErrorOfAsync("JoinRoom", "secret"));
        Assert.EndsWith("This room is not open.", await live.ErrorOfAsync("JoinRoom", [null]));
        Assert.EndsWith("Join a room first, and try again.", await live.ErrorOfAsync("SendChat", "m-1", "hello"));
        await live.Connection.InvokeAsync("JoinRoom", "lobby", Cancellation);
        Assert.EndsWith(WrongId, await live.ErrorOfAsync("SendChat", "", "hello"));
        Assert.EndsWith(WrongId, await live.ErrorOfAsync("SendChat", new string('m', 65), "hello"));
        Assert.EndsWith(WrongId, await live.ErrorOfAsync("SendChat", "nul\0", "hello"));
        Assert.EndsWith(WrongText, await live.ErrorOfAsync("SendChat", "m-1", ""));
        Assert.EndsWith(WrongText, await live.ErrorOfAsync("SendChat", "m-1", new string('x', 2001)));
        Assert.Equal(NotBound, await live.ErrorOfAsync("SendChat", 1, new { a = 1 }));
        Assert.Equal(NotBound, await live.ErrorOfAsync("SendChat", "m-1"));
        Assert.EndsWith(
            "A connection is in one room at a time.",
            await live.ErrorOfAsync("Resume", [new[] { new { channel = "room/lobby" }, new { channel = "room/other" } }]));
        await live.Connection.InvokeAsync("LeaveRoom", "lobby", Cancellation);
        Assert.Equal(HubConnectionState.Connected, live.Connection.State);
    }

    [Fact]
    public async Task A_connection_lasts_no_longer_than_its_access_token()
    {
        await using var app = await MarketplaceApp.StartAsync(("Users:AccessTokenLifetime", "00:00:05"));
        var user = await app.RegisterAndLoginAsync("expires@example.com");
        await using var live = await LiveClient.ConnectAsync(app, user);
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        live.Connection.Closed += _ =>
        {
            closed.TrySetResult();
            return Task.CompletedTask;
        };

        await closed.Task.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Cancellation);

        // Nor is another one made with it, though elsewhere it is good for as long as clocks may differ.
        using var client = app.ClientOf(user);
        using var negotiated = await client.PostAsync("/hubs/live/negotiate?negotiateVersion=1", content: null, Cancellation);
        Assert.Equal(HttpStatusCode.Unauthorized, negotiated.StatusCode);
    }

    [Fact]
    public async Task A_burst_cuts_no_reader_that_keeps_up_though_it_acknowledges_but_once_a_second()
    {
        var user = await LoginAsync("burst@example.com");
        var id = await _app.IdOfAsync(user);
        await using var live = await LiveClient.ConnectAsync(_app, user, isStateful: true);
        var closed = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        live.Connection.Closed += error =>
        {
            closed.TrySetResult(error);
            return Task.CompletedTask;
        };
        var hub = _app.Services.GetRequiredService<IHubContext<LiveHub, ILiveClient>>();
        var text = new string('x', 200); // about 300 bytes on the wire

        for (var sent = Batch; sent <= Burst; sent += Batch)
        {
            await Task.WhenAll(Enumerable.Range(0, Batch).Select(_ => hub.Clients.User(id).Broadcast(new(text, DateTimeOffset.UnixEpoch))));

            // On a busy machine the client may be behind; what it acknowledges meanwhile is far too little to matter.
            for (var looks = 0; looks < 20 && live.Count("Broadcast") < sent; looks++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancellation);
            }
        }

        for (var heard = 0; heard < Burst; heard++)
        {
            var next = live.NextAsync("Broadcast");
            Assert.True(await Task.WhenAny(next, closed.Task) == next, $"closed after {heard} messages");
            await next;
        }
    }

    [Fact]
    public async Task A_notification_reaches_its_user_on_all_devices_and_nobody_else()
    {
        var (user, other) = (await LoginAsync("notified@example.com"), await LoginAsync("not-notified@example.com"));
        await using var first = await LiveClient.ConnectAsync(_app, user);
        await using var second = await LiveClient.ConnectAsync(_app, user);
        await using var none = await LiveClient.ConnectAsync(_app, other);

        await _app.Services.GetRequiredService<INotifications>()
            .SendAsync(Guid.Parse(await _app.IdOfAsync(user)), "Your booking is confirmed", Cancellation);

        Assert.Equal("Your booking is confirmed", (string)(await first.NextAsync("Notification"))["text"]!);
        Assert.Equal("Your booking is confirmed", (string)(await second.NextAsync("Notification"))["text"]!);
        Assert.Equal(0, none.Count("Notification"));
    }

    [Fact]
    public async Task Operators_and_nobody_else_may_tell_everyone_something()
    {
        var (user, operatorUser) = (await LoginAsync("everyone@example.com"), await LoginAsync("operator@example.com"));
        await using var live = await LiveClient.ConnectAsync(_app, user);
        using var asOperator = _app.ClientOf(operatorUser);
        using var asUser = _app.ClientOf(user);

        Assert.Equal(HttpStatusCode.Accepted, await PostAsync(asOperator, "broadcast", new { text = "Maintenance at ten" }));
        Assert.Equal("Maintenance at ten", (string)(await live.NextAsync("Broadcast"))["text"]!);
        Assert.Equal(
            HttpStatusCode.Accepted,
            await PostAsync(asOperator, "notifications", new { userId = await _app.IdOfAsync(user), text = "Hello" }));
        Assert.Equal("Hello", (string)(await live.NextAsync("Notification"))["text"]!);

        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(asOperator, "broadcast", new { text = "" }));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(asOperator, "notifications", new { text = "to whom?" }));
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync(asUser, "broadcast", new { text = "Hello" }));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(_app.Client, "broadcast", new { text = "Hello" }));
    }

    private Task<TestUser> LoginAsync(string email) => _app.RegisterAndLoginAsync(email);

    private static async Task<HttpStatusCode> PostAsync(HttpClient client, string operation, object body)
    {
        using var answer = await client.PostAsJsonAsync($"/api/v1/operations/{operation}", body, Cancellation);
        return answer.StatusCode;
    }
}

/// <summary>A client of the live hub that keeps what it is sent.</summary>
internal sealed class LiveClient : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly ConcurrentDictionary<string, ConcurrentQueue<JsonObject>> _received = new();

    private LiveClient(HubConnection connection)
    {
        Connection = connection;
        foreach (var name in new[] { "Chat", "Notification" })
        {
            connection.On<HistoryStamp, JsonObject>(name, (_, message) => Keep(name, message));
        }

        connection.On<JsonObject>("Broadcast", message => Keep("Broadcast", message));
    }

    public HubConnection Connection { get; }

    public static async Task<LiveClient> ConnectAsync(MarketplaceApp app, TestUser user, bool followsInbox = true, bool isStateful = false)
    {
        var builder = new HubConnectionBuilder()
            .WithUrl(new Uri(app.Client.BaseAddress!, "/hubs/live"), HttpTransportType.WebSockets, options =>
                options.AccessTokenProvider = () => Task.FromResult<string?>(user.AccessToken));
        var client = new LiveClient((isStateful ? builder.WithStatefulReconnect() : builder).Build());
        await client.Connection.StartAsync();
        if (followsInbox)
        {
            await client.Connection.InvokeAsync("Resume", new[] { new ResumePoint("inbox", null, 0) });
        }

        return client;
    }

    private void Keep(string name, JsonObject message) => _received.GetOrAdd(name, _ => new()).Enqueue(message);

    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    public int Count(string name) => _received.TryGetValue(name, out var queue) ? queue.Count : 0;

    /// <summary>The next message of that name, in the order of arrival.</summary>
    public async Task<JsonObject> NextAsync(string name)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(startedAt) < Deadline;)
        {
            if (_received.TryGetValue(name, out var queue) && queue.TryDequeue(out var message))
            {
                return message;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        throw new TimeoutException($"No {name} came.");
    }

    public async Task<string> ErrorOfAsync(string method, params object?[] args) =>
        (await Assert.ThrowsAsync<HubException>(() => Connection.InvokeCoreAsync(method, args))).Message;
}

internal static class MarketplaceAppExtensions
{
    public static async Task<string> IdOfAsync(this MarketplaceApp app, TestUser user)
    {
        using var client = app.ClientOf(user);
        return (string)(await client.GetFromJsonAsync<JsonObject>("/api/v1/users/me"))!["id"]!;
    }
}
