using System.Net;
using System.Net.Http.Json;
using Marketplace.Frontends;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Frontends;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Connections;

public sealed class ConnectionAdmissionTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(15);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_six_connections_over_two_frontends_five_live_and_closing_one_makes_room(bool negotiate)
    {
        await using var host = await HubHost.StartAsync();
        WebApplication[] frontends = [await host.StartFrontendAsync(), await host.StartFrontendAsync()];
        var connections = Enumerable.Range(0, 6).Select(i => HubHost.Connect(frontends[i % 2], "ann", negotiate)).ToList();

        var started = await Task.WhenAll(connections.Select(IsStartedAsync));

        Assert.Equal(5, started.Count(isStarted => isStarted));
        Assert.Equal(5, await host.SlotsOfAsync("ann"));
        await AssertProblemAsync(await HubHost.UpgradeAsync(frontends[0], "ann"), HttpStatusCode.TooManyRequests, "connection-limit");
        using var client = new HttpClient();
        await AssertProblemAsync(
            await client.PostAsync($"{frontends[1].Urls.First()}/hubs/live/negotiate?negotiateVersion=1&access_token=ann", null,
                TestContext.Current.CancellationToken),
            HttpStatusCode.TooManyRequests, "connection-limit");

        await connections[Array.IndexOf(started, true)].StopAsync(TestContext.Current.CancellationToken);
        await UntilAsync(async () => await host.SlotsOfAsync("ann") == 4);
        Assert.True(await IsStartedAsync(HubHost.Connect(frontends[1], "ann", negotiate)));
    }

    [Fact]
    public async Task The_total_is_shared_by_frontends_and_refused_with_503_beyond()
    {
        await using var host = await HubHost.StartAsync(total: 40);
        WebApplication[] frontends = [await host.StartFrontendAsync(), await host.StartFrontendAsync()];

        // The first frontend gets a block for one connection; nobody is refused for what it doesn't use of that.
        var first = HubHost.Connect(frontends[0], "u0", negotiate: false);
        Assert.True(await IsStartedAsync(first));
        for (var i = 1; i < 40; i++)
        {
            Assert.True(await IsStartedAsync(HubHost.Connect(frontends[1], $"u{i}", negotiate: i % 2 == 0)));
        }

        var startedAt = TimeProvider.System.GetTimestamp();
        foreach (var frontend in frontends)
        {
            Assert.False(await IsStartedAsync(HubHost.Connect(frontend, "u41", negotiate: true)));
            await AssertProblemAsync(await HubHost.UpgradeAsync(frontend, "u41"), HttpStatusCode.ServiceUnavailable, "connection-limit");
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(startedAt), TimeSpan.Zero, TimeSpan.FromSeconds(8)); // twice what four take, and what may hold them up
        await first.StopAsync(TestContext.Current.CancellationToken);
        await UntilAsync(async () => await host.SlotsOfAsync("u0") == 0);
        Assert.True(await IsStartedAsync(HubHost.Connect(frontends[1], "u41", negotiate: false)));
    }

    [Fact]
    public async Task When_the_lease_is_lost_its_connections_are_closed_and_the_next_lease_admits_anew()
    {
        await using var host = await HubHost.StartAsync();
        var frontend = await host.StartFrontendAsync();
        var connection = HubHost.Connect(frontend, "ann", negotiate: false);
        var closed = new TaskCompletionSource();
        connection.Closed += _ =>
        {
            closed.SetResult();
            return Task.CompletedTask;
        };
        Assert.True(await IsStartedAsync(connection));

        var lease = frontend.Services.GetRequiredService<IFrontendLease>();
        var epoch = lease.Epoch!.Value;
        await host.Grains.GetGrain<IFrontendLeasesGrain>(0).Release(epoch);

        await closed.Task.WaitAsync(Deadline, TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.NotEqual(epoch, await lease.WaitForEpochAsync(TestContext.Current.CancellationToken));
        Assert.True(await IsStartedAsync(HubHost.Connect(frontend, "ann", negotiate: false)));
        Assert.Equal(1, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task A_frontend_that_stops_closes_its_connections_gives_back_their_slots_and_releases_its_lease()
    {
        await using var host = await HubHost.StartAsync();
        var frontend = await host.StartFrontendAsync();
        var epoch = frontend.Services.GetRequiredService<IFrontendLease>().Epoch!.Value;
        Assert.True(await IsStartedAsync(HubHost.Connect(frontend, "ann", negotiate: true)));

        await frontend.StopAsync(TestContext.Current.CancellationToken);

        Assert.True((await host.Grains.GetGrain<IFrontendLeasesGrain>(0).GetEpochs()).IsVoid(epoch));
        Assert.Equal(0, await host.SlotsOfAsync("ann"));
    }

    [Fact]
    public async Task Who_is_being_admitted_when_a_drain_begins_is_sent_elsewhere_as_nobody_would_tell_him_to_leave()
    {
        await using var host = await HubHost.StartAsync();
        var frontend = await host.StartFrontendAsync();
        await using var connection = await host.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "LOCK TABLE user_slots IN ACCESS EXCLUSIVE MODE"; // so that his slot is long in the taking
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var admitting = HubHost.UpgradeAsync(frontend, "ann");
        await using var look = host.Database.CreateCommand("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
        await UntilAsync(async () => (bool)(await look.ExecuteScalarAsync(TestContext.Current.CancellationToken))!);
        var drained = frontend.Services.GetRequiredService<ConnectionDrain>().BeforeStopAsync(CancellationToken.None);
        await transaction.RollbackAsync(TestContext.Current.CancellationToken);

        await AssertProblemAsync(await admitting, HttpStatusCode.ServiceUnavailable, "unavailable");
        await drained;
        await UntilAsync(async () => await host.SlotsOfAsync("ann") == 0);
    }

    [Fact]
    public async Task What_one_user_has_under_way_leaves_room_for_the_others()
    {
        await using var host = await HubHost.StartAsync(total: UserAttempts.Max + 1);
        var frontend = await host.StartFrontendAsync();
        await using var connection = await host.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "LOCK TABLE user_slots IN ACCESS EXCLUSIVE MODE"; // so that no slot can be taken
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);

        var many = Enumerable.Range(0, UserAttempts.Max + 8).Select(_ => HubHost.UpgradeAsync(frontend, "ann")).ToList();
        for (var refused = 0; refused < 8; refused++)
        {
            var first = await Task.WhenAny(many);
            many.Remove(first);
            await AssertProblemAsync(await first, HttpStatusCode.ServiceUnavailable, "unavailable");
        }

        var other = HubHost.UpgradeAsync(frontend, "bob");
        await Task.WhenAny(other, Task.Delay(TimeSpan.FromSeconds(0.5), TimeProvider.System, TestContext.Current.CancellationToken));
        Assert.False(other.IsCompleted);
        await transaction.RollbackAsync(TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.SwitchingProtocols, (await other).StatusCode);
    }

    [Fact]
    public async Task A_connection_that_throws_at_being_cut_keeps_nothing_from_being_given_back()
    {
        await using var host = await HubHost.StartAsync();
        var frontend = await host.StartFrontendAsync();
        Assert.True(await IsStartedAsync(HubHost.Connect(frontend, "ann", negotiate: true)));
        frontend.Services.GetRequiredService<ConnectionDrain>().Close.Register(() => throw new ObjectDisposedException("its request"));

        await frontend.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(0, await host.SlotsOfAsync("ann"));
    }

    private static async Task<bool> IsStartedAsync(HubConnection connection)
    {
        try
        {
            await connection.StartAsync();
            return true;
        }
        catch (Exception error) when (error is HttpRequestException or System.Net.WebSockets.WebSocketException or AggregateException)
        {
            return false;
        }
    }

    private static async Task AssertProblemAsync(HttpResponseMessage response, HttpStatusCode status, string type)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.True(response.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        var problem = await response.Content.ReadFromJsonAsync<ProblemDetails>();
        Assert.Equal($"/problems/{type}", problem!.Type);
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
