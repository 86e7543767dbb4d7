using System.Collections.Concurrent;
using Marketplace.Client;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace Client.Tests;

/// <summary>Servers that accept and never answer.</summary>
public sealed class SilentServerTests : LiveConnectionTestBase
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static Task Never => new TaskCompletionSource().Task;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_address_that_never_answers_is_given_up_for_the_next(bool atNegotiation)
    {
        var silent = await StartAsync();
        silent.IsSilent = context => atNegotiation != IsUpgrade(context);
        var other = await StartAsync();

        await Connect(silent, other, callTimeout: Patience).StartAsync(Cancellation).WaitAsync(Deadline, Cancellation);

        await UntilAsync(() => other.Connections.Count == 1);
    }

    /// <summary>The first is for the negotiation, the second for the upgrade.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task An_access_token_that_never_comes_is_asked_for_anew(int never)
    {
        var server = await StartAsync();
        var asked = 0;

        await Connect(server, callTimeout: Patience, beforeToken: () => ++asked == never ? Never : Task.CompletedTask)
            .StartAsync(Cancellation).WaitAsync(Deadline, Cancellation);

        await UntilAsync(() => server.Connections.Count == 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Stopping_waits_for_no_access_token(int never)
    {
        var server = await StartAsync();
        var asked = 0;
        var live = Connect(
            server, callTimeout: TimeSpan.FromMinutes(10), beforeToken: () => ++asked == never ? Never : Task.CompletedTask);
        var starting = live.StartAsync(Cancellation);
        await UntilAsync(() => asked == never);

        await live.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
    }

    [Fact]
    public async Task A_drain_whose_next_address_never_answers_comes_back_to_the_first()
    {
        var (server, _, live) = await DrainAsync(callTimeout: Patience);

        server.Cut();

        await UntilAsync(() => Connected == 2 && live.Status.State == LiveState.Connected && server.Connections.Count == 1);
    }

    [Fact]
    public async Task Who_waits_for_the_next_address_says_that_the_old_connection_has_ended()
    {
        var (server, silent, live) = await DrainAsync(callTimeout: TimeSpan.FromMinutes(10));
        Assert.Equal(LiveState.Connected, live.Status.State);

        server.Cut();

        await UntilAsync(() => live.Status.State == LiveState.Connecting);
        Assert.Equal(1, silent.Negotiations);
    }

    [Fact]
    public async Task A_stateful_reconnect_that_is_never_answered_gives_way_to_a_new_connection()
    {
        var (server, upgrades) = await StartStatefulAsync();
        var live = Connect(server, callTimeout: Patience, configureHub: hub => hub.WithServerTimeout(Patience));
        await live.StartAsync(Cancellation);

        upgrades.First().Abort();

        await UntilAsync(() => server.Negotiations >= 2 && Connected >= 2);
        await live.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);
    }

    [Fact]
    public async Task Stopping_waits_for_no_stateful_reconnect()
    {
        var (server, upgrades) = await StartStatefulAsync();
        var live = Connect(server, callTimeout: TimeSpan.FromMinutes(10));
        await live.StartAsync(Cancellation);
        upgrades.First().Abort();
        await UntilAsync(() => upgrades.Count == 2);

        await live.DisposeAsync().AsTask().WaitAsync(Deadline, Cancellation);
    }

    /// <summary>A server that never answers the second upgrade, which is the stateful reconnect.</summary>
    private async Task<(FakeServer Server, IReadOnlyCollection<HttpContext> Upgrades)> StartStatefulAsync()
    {
        var server = await StartAsync(isStateful: true);
        var upgrades = new ConcurrentQueue<HttpContext>();
        server.IsSilent = context =>
        {
            if (!IsUpgrade(context))
            {
                return false;
            }

            upgrades.Enqueue(context);
            return upgrades.Count == 2;
        };
        return (server, upgrades);
    }

    /// <summary>A server that drains, and a connection that waits for another one's answer.</summary>
    private async Task<(FakeServer Server, FakeServer Silent, LiveConnection Live)> DrainAsync(TimeSpan callTimeout)
    {
        var server = await StartAsync();
        var silent = await StartAsync();
        silent.IsSilent = _ => true;
        var live = Connect(server, silent, callTimeout: callTimeout);
        await live.StartAsync(Cancellation);
        await UntilAsync(() => server.Connections.Count == 1);
        await server.Hub.Clients.All.SendAsync("Draining", 0, Cancellation);
        await UntilAsync(() => silent.Negotiations == 1);
        return (server, silent, live);
    }
}
