using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using WebFrontend.Tests.Users;

namespace WebFrontend.Tests.Connections;

/// <summary>Connections and their caps as an operator sees and changes them, over HTTP.</summary>
public sealed class ConnectionOperationsTests : IAsyncLifetime
{
    private const string Root = "/api/v1/operations/connections";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);
    private MarketplaceApp _app = null!;
    private HttpClient _operator = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _app = await MarketplaceApp.StartAsync(("Users:Operators:0", "operator@example.com"), ("Connections:PerUserByRole:operator", "7"));
        _operator = _app.ClientOf(await _app.RegisterAndLoginAsync("operator@example.com"));
    }

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task Only_operators_get_in()
    {
        using var candidate = _app.ClientOf(await _app.RegisterAndLoginAsync("candidate@example.com"));
        foreach (var (method, path) in new[]
        {
            (HttpMethod.Get, Root),
            (HttpMethod.Get, $"{Root}/users/{Guid.Empty}"),
            (HttpMethod.Delete, $"{Root}/users/{Guid.Empty}"),
            (HttpMethod.Delete, $"{Root}/users/{Guid.Empty}/{Guid.Empty}"),
            (HttpMethod.Get, $"{Root}/caps"),
            (HttpMethod.Put, $"{Root}/caps"),
            (HttpMethod.Delete, $"{Root}/caps"),
        })
        {
            Assert.Equal("unauthorized", await UsersApp.ProblemTypeOf(await _app.Client.SendAsync(new(method, path)), 401));
            Assert.Equal("forbidden", await UsersApp.ProblemTypeOf(await candidate.SendAsync(new(method, path)), 403));
        }
    }

    [Fact]
    public async Task Connections_are_listed_by_frontend_and_user_and_closed_with_a_reason()
    {
        var user = await _app.RegisterAndLoginAsync("seen@example.com");
        var id = await IdOfAsync(user);
        var (first, firstClosed) = Client(user, HttpTransportType.WebSockets);
        var (second, secondClosed) = Client(user, HttpTransportType.LongPolling);
        await first.StartAsync(Cancellation);
        await second.StartAsync(Cancellation);

        await UntilAsync(async () => (int)(await GetAsync(Root))["used"]! == 2);
        var overview = await GetAsync(Root);
        Assert.Equal(10_000, (int)overview["cap"]!);
        var frontend = Assert.Single(overview["items"]!.AsArray())!;
        Assert.Equal(2, (int)frontend["used"]!);
        Assert.InRange((double)frontend["remainingSeconds"]!, 1, 12);
        Assert.Null(overview["nextCursor"]);

        var page = await GetAsync($"{Root}/users/{id}?limit=1");
        var oldest = Assert.Single(page["items"]!.AsArray())!;
        Assert.Equal(("WebSockets", (string)frontend["name"]!), ((string)oldest["transport"]!, (string)oldest["frontend"]!));
        var rest = await GetAsync($"{Root}/users/{id}?limit=1&cursor={page["nextCursor"]}");
        Assert.Equal("LongPolling", (string)Assert.Single(rest["items"]!.AsArray())!["transport"]!);
        Assert.Null(rest["nextCursor"]);
        Assert.Equal("validation", await UsersApp.ProblemTypeOf(await _operator.GetAsync($"{Root}/users/{id}?cursor=x&limit=101"), 400));

        using var closed = await _operator.DeleteAsync($"{Root}/users/{id}/{oldest["connection"]}");
        Assert.Equal(HttpStatusCode.NoContent, closed.StatusCode);
        Assert.Contains("by an operator", await firstClosed.WaitAsync(Deadline, TimeProvider.System, Cancellation), StringComparison.Ordinal);
        Assert.Single((await GetAsync($"{Root}/users/{id}"))["items"]!.AsArray());
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await _operator.DeleteAsync($"{Root}/users/{id}/{oldest["connection"]}"), 404));

        using var all = await _operator.DeleteAsync($"{Root}/users/{id}");
        Assert.Equal(HttpStatusCode.NoContent, all.StatusCode);
        Assert.Contains("by an operator", await secondClosed.WaitAsync(Deadline, TimeProvider.System, Cancellation), StringComparison.Ordinal);

        // A poll of a client that doesn't know yet that it was closed counts while it is answered.
        await UntilAsync(async () => (await GetAsync($"{Root}/users/{id}"))["items"]!.AsArray().Count == 0);
        await UntilAsync(async () => (await _operator.DeleteAsync($"{Root}/users/{id}")).StatusCode == HttpStatusCode.NotFound);
        Assert.Equal("not-found", await UsersApp.ProblemTypeOf(await _operator.DeleteAsync($"{Root}/users/{id}"), 404));
    }

    [Fact]
    public async Task Caps_are_changed_and_restored_and_each_step_has_a_version_of_its_own()
    {
        using var before = await _operator.GetAsync($"{Root}/caps", Cancellation);
        Assert.Equal("\"0\"", before.Headers.ETag!.Tag);
        var settings = (await before.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["settings"]!.AsObject();
        Assert.Equal("""{"perUser":5,"perUserByRole":{"operator":7},"total":10000,"whenFull":"Refuse"}""", settings.ToJsonString());

        settings["perUser"] = 3;
        settings["whenFull"] = "ReplaceOldest";
        Assert.Equal("precondition-required", await UsersApp.ProblemTypeOf(await PutAsync(settings, etag: null), 428));
        Assert.Equal("version-mismatch", await UsersApp.ProblemTypeOf(await PutAsync(settings, "\"1\""), 412));
        using var changed = await PutAsync(settings, "\"0\"");
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal("\"1\"", changed.Headers.ETag!.Tag);
        var answer = (await changed.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!;
        Assert.Equal(("changed", 1), ((string)answer["source"]!, (int)answer["version"]!));
        Assert.True(JsonNode.DeepEquals(settings, answer["settings"]), answer.ToJsonString());

        await _app.Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);
        Assert.Equal(3, (int)(await GetAsync($"{Root}/caps"))["settings"]!["perUser"]!);

        using var restore = new HttpRequestMessage(HttpMethod.Delete, $"{Root}/caps") { Headers = { { "If-Match", "\"1\"" } } };
        using var restored = await _operator.SendAsync(restore, Cancellation);
        Assert.Equal("\"2\"", restored.Headers.ETag!.Tag);
        Assert.Equal(5, (int)(await GetAsync($"{Root}/caps"))["settings"]!["perUser"]!);
    }

    [Fact]
    public async Task All_that_is_wrong_with_caps_is_told_at_once()
    {
        using var answer = await PutAsync(
            new JsonObject
            {
                ["perUser"] = 0,
                ["perUserByRole"] = new JsonObject { ["king"] = 9, ["operator"] = 0 },
                ["whenFull"] = "Maybe",
                ["most"] = 1,
            },
            "*");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var errors = (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancellation))!["errors"]!.AsObject();
        Assert.Equal(["most", "perUser", "perUserByRole", "total", "whenFull"], errors.Select(error => error.Key).Order(StringComparer.Ordinal));
        Assert.Equal(2, errors["perUserByRole"]!.AsArray().Count);
        Assert.Equal(0, (int)(await GetAsync($"{Root}/caps"))["version"]!);
    }

    [Fact]
    public async Task A_lowered_cap_binds_at_once_for_new_connections_and_existing_ones_stay()
    {
        var user = await _app.RegisterAndLoginAsync("lowered@example.com");
        var clients = new List<HubConnection>();
        for (var i = 0; i < 4; i++)
        {
            clients.Add(Client(user, HttpTransportType.WebSockets).Connection);
            await clients[i].StartAsync(Cancellation);
        }

        await ChangeAsync("perUser", 2);
        Assert.Equal(HttpStatusCode.TooManyRequests, await RefusalOfAsync(user));
        await ChangeAsync("perUser", 5);
        await ChangeAsync("total", 4);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await RefusalOfAsync(user));
        foreach (var client in clients)
        {
            await client.InvokeAsync("LeaveRoom", "nowhere", Cancellation);
        }

        await ChangeAsync("total", 5);
        Assert.Null(await RefusalOfAsync(user));
    }

    [Fact]
    public async Task Who_has_a_role_may_have_as_many_as_the_role_may()
    {
        var user = await _app.LoginAsync("operator@example.com");
        for (var i = 0; i < 7; i++)
        {
            Assert.Null(await RefusalOfAsync(user));
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, await RefusalOfAsync(user));
    }

    private (HubConnection Connection, Task<string?> Closed) Client(TestUser user, HttpTransportType transport)
    {
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(_app.Client.BaseAddress!, "/hubs/live"), transport, options =>
                options.AccessTokenProvider = () => Task.FromResult<string?>(user.AccessToken))
            .Build();
        var closed = new TaskCompletionSource<string?>();
        connection.Closed += error =>
        {
            closed.TrySetResult(error?.Message);
            return Task.CompletedTask;
        };
        return (connection, closed.Task);
    }

    /// <summary>Opens one connection more, which stays; null if it was let in. A 503 means that it is to come again.</summary>
    private async Task<HttpStatusCode?> RefusalOfAsync(TestUser user)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); ; await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, Cancellation))
        {
            try
            {
                await Client(user, HttpTransportType.WebSockets).Connection.StartAsync(Cancellation);
                return null;
            }
            catch (HttpRequestException refused) when (refused.StatusCode != HttpStatusCode.ServiceUnavailable
                || TimeProvider.System.GetElapsedTime(startedAt) > TimeSpan.FromSeconds(20))
            {
                return refused.StatusCode;
            }
            catch (HttpRequestException)
            {
                // it comes again
            }
        }
    }

    private async Task ChangeAsync(string setting, int value)
    {
        var settings = (await GetAsync($"{Root}/caps"))["settings"]!.DeepClone().AsObject();
        settings[setting] = value;
        using var changed = await PutAsync(settings, "*");
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
    }

    private async Task<JsonObject> GetAsync(string path) => (await _operator.GetFromJsonAsync<JsonObject>(path, Cancellation))!;

    private async Task<HttpResponseMessage> PutAsync(JsonObject settings, string? etag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"{Root}/caps") { Content = JsonContent.Create(settings) };
        if (etag is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", etag);
        }

        return await _operator.SendAsync(request, Cancellation);
    }

    private async Task<string> IdOfAsync(TestUser user)
    {
        using var client = _app.ClientOf(user);
        return (string)(await client.GetFromJsonAsync<JsonObject>("/api/v1/users/me", Cancellation))!["id"]!;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Deadline, $"It has not come about within {Deadline}.");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }
}
