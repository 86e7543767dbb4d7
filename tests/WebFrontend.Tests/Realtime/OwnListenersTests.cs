using Marketplace.Realtime;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
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

    /// <summary>What was published last, by whichever server.</summary>
    internal Publication Published => _hold.Published!;

    protected override void Configure(WebApplicationBuilder frontend) =>
        frontend.Services.AddSingleton<IOutgoingGrainCallFilter>(_hold);

    private sealed class Hold : IOutgoingGrainCallFilter
    {
        public Task Until { get; set; } = Task.CompletedTask;

        public Publication? Published { get; private set; }

        public async Task Invoke(IOutgoingGrainCallContext context)
        {
            if (context.MethodName == nameof(IChannelGrain.Publish))
            {
                Published = ((PublishBatch)context.Request.GetArgument(0)!).Items[^1];
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
    public async Task The_channel_is_told_whether_there_are_any()
    {
        await using var own = await servers.ConnectToAsync(0, "/hub?group=any", messagePack: false);
        await using var other = await servers.ConnectToAsync(1, "/hub?group=any", messagePack: false);
        var clients = servers.Hub(0).Clients;

        Assert.True(await IsServedAsync(clients.Group("any")));
        Assert.True(await IsServedAsync(clients.GroupExcept("any", other.Id)));
        Assert.False(await IsServedAsync(clients.GroupExcept("any", own.Id)));
        Assert.True(await IsServedAsync(clients.Clients(own.Id, other.Id)));
        Assert.False(await IsServedAsync(clients.Clients(other.Id)));
        Assert.False(await IsServedAsync(clients.Group("nobody")));

        async Task<bool> IsServedAsync(IClientProxy whom)
        {
            await whom.SendAsync("Say", "hello", TestContext.Current.CancellationToken);
            return servers.Published.IsServed;
        }
    }

    [Fact]
    public async Task What_a_method_says_to_its_caller_comes_before_its_result_however_much_is_to_be_written_before_it()
    {
        await using var caller = await servers.ConnectAsync(2);
        using var written = new ManualResetEventSlim();
        servers.ServicesOf(2).GetRequiredService<FrontendObserver>().Post(written.Wait);

        var result = caller.Connection.InvokeAsync<int>("SayToCallerAndReturn", "hello", TestContext.Current.CancellationToken);
        await Task.WhenAny(result, Task.Delay(TimeSpan.FromSeconds(0.5), TimeProvider.System, TestContext.Current.CancellationToken));
        Assert.False(result.IsCompleted);

        written.Set();
        Assert.Equal(5, await result);
        await caller.HearsAsync("hello");
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
