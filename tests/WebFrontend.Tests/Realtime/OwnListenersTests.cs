using Marketplace.Realtime;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;

namespace WebFrontend.Tests.Realtime;

/// <summary>Servers whose messages can be kept from the cluster.</summary>
public sealed class HeldServers : OrleansServers
{
    private readonly Hold _hold = new();

    public Task Until
    {
        set => _hold.Until = value;
    }

    protected override void Configure(WebApplicationBuilder frontend) =>
        frontend.Services.AddSingleton<IOutgoingGrainCallFilter>(_hold);

    private sealed class Hold : IOutgoingGrainCallFilter
    {
        public Task Until { get; set; } = Task.CompletedTask;

        public async Task Invoke(IOutgoingGrainCallContext context)
        {
            if (context.MethodName == nameof(IChannelGrain.Publish))
            {
                await Until;
            }

            await context.Invoke();
        }
    }
}

/// <summary>Who is connected where a message is sent.</summary>
public sealed class OwnListenersTests(HeldServers servers) : IClassFixture<HeldServers>
{
    [Fact]
    public async Task They_are_served_before_the_cluster_is_and_once()
    {
        await using var own = await servers.ConnectToAsync(0, "/hub?group=first", messagePack: false);
        await using var other = await servers.ConnectToAsync(1, "/hub?group=first", messagePack: false);
        var held = new TaskCompletionSource();
        servers.Until = held.Task;

        var sending = servers.Hub(0).Clients.Group("first").SendAsync("Say", "hello", TestContext.Current.CancellationToken);
        await own.HearsAsync("welcome", "hello");
        Assert.False(sending.IsCompleted);
        Assert.Equal(["welcome"], other.Heard);

        held.SetResult();
        await sending;
        await servers.Hub(1).Clients.Group("first").SendAsync("Say", "last", TestContext.Current.CancellationToken);
        await other.HearsAsync("welcome", "hello", "last");
        await own.HearsAsync("welcome", "hello", "last");
    }

    [Fact]
    public async Task A_message_that_comes_back_is_dropped()
    {
        await using var own = await servers.ConnectToAsync(2, "/hub?group=back", messagePack: false);
        var observer = servers.ServicesOf(2).GetRequiredService<FrontendObserver>();
        var lease = servers.ServicesOf(2).GetRequiredService<IFrontendLease>();
        var payloads = servers.ServicesOf(2).GetRequiredService<HubPayloads<TestHub>>();
        var hello = new HubSend(payloads.Serialize(new("Say", ["hello"])), Only: null, Except: null);

        foreach (var publisher in new[] { observer.Publisher, Guid.NewGuid() })
        {
            var answer = await observer.Deliver(new(
                new ChannelNames(typeof(TestHub).FullName!).Group("back"), lease.Epoch!.Value, ChannelEpoch: 1, [new(1, publisher, 1, hello)]));
            Assert.Equal(DeliveryVerdict.Taken, answer.Verdict);
        }

        await servers.Hub(2).Clients.Group("back").SendAsync("Say", "last", TestContext.Current.CancellationToken);
        await own.HearsAsync("welcome", "hello", "last");
    }
}
