using Marketplace.Realtime;
using Marketplace.Trouble;

namespace Grains.Tests.Realtime;

public sealed class ChannelGrainTests(ChannelCluster cluster) : IClassFixture<ChannelCluster>, IAsyncLifetime
{
    private readonly IChannelGrain _channel = cluster.NewChannel();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The frontends of one test are no candidates in the next.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var lease in await cluster.Leases.GetLive())
        {
            await cluster.Leases.Release(lease.Epoch);
        }
    }

    [Fact]
    public async Task Every_listening_frontend_is_called_once_a_message_and_in_order()
    {
        var (a, b) = (await ListeningAsync(), await ListeningAsync());
        var publisher = new TestPublisher(_channel);

        await publisher.Publish("1");
        await publisher.Publish("2", "3");
        await publisher.Publish("4");

        Assert.Equal(["1", "2", "3", "4"], a.Taken);
        Assert.Equal(["1", "2", "3", "4"], b.Taken);
        Assert.Equal((3, 3), (a.Calls, b.Calls));
    }

    [Fact]
    public async Task The_frontend_that_publishes_is_not_called()
    {
        var (own, other) = (await ListeningAsync(), await ListeningAsync());
        var publisher = new TestPublisher(_channel) { ServedEpoch = own.Address.Epoch };
        own.OnCall = _ => DeliveryVerdict.Busy;

        await publisher.Publish("1");
        own.OnCall = null;
        await new TestPublisher(_channel) { ServedEpoch = other.Address.Epoch }.Publish("2");

        Assert.Equal(["2"], own.Taken);
        Assert.Equal((1, 1), (own.Calls, other.Calls));
    }

    [Fact]
    public async Task A_frontend_that_fails_a_call_is_called_again_while_its_lease_lives()
    {
        var frontend = await ListeningAsync();
        frontend.OnCall = call => call <= 2 ? throw new InvalidOperationException("not now") : null;
        var publisher = new TestPublisher(_channel);

        await publisher.Publish("1");
        await publisher.Publish("2");

        Assert.Equal(["1", "2"], frontend.Taken);
    }

    [Fact]
    public async Task A_frontend_is_called_no_more_once_its_lease_has_ended()
    {
        var (dead, alive) = (await ListeningAsync(), await ListeningAsync());
        dead.OnCall = _ => throw new InvalidOperationException("gone");
        await cluster.Leases.Release(dead.Address.Epoch);
        var publisher = new TestPublisher(_channel);

        var first = await publisher.Publish("1");
        var calls = dead.Calls;
        var second = await publisher.Publish("2");

        Assert.Equal((1, false, false), (calls, first.IsPending, second.IsPending));
        Assert.Equal(calls, dead.Calls);
        Assert.Equal(["1", "2"], alive.Taken);
    }

    [Fact]
    public async Task A_slow_frontend_does_not_keep_a_send_from_being_answered()
    {
        var (slow, quick) = (await ListeningAsync(), await ListeningAsync());
        slow.OnCall = call => call <= 8 ? DeliveryVerdict.Busy : null;
        var publisher = new TestPublisher(_channel);

        var result = await publisher.Publish("1");

        Assert.True(result.IsPending);
        Assert.Equal(["1"], quick.Taken);
        await Eventually.TrueAsync(() => slow.Taken.SequenceEqual(["1"]));
    }

    [Fact]
    public async Task A_send_that_reaches_nobody_who_listens_fails()
    {
        var frontend = await ListeningAsync();
        frontend.OnCall = _ => DeliveryVerdict.Busy;

        await Assert.ThrowsAsync<UnavailableException>(() => new TestPublisher(_channel).Publish("1"));
    }

    [Fact]
    public async Task A_send_that_reached_the_publishers_own_listeners_does_not_fail_for_others_that_hang()
    {
        var (own, hanging) = (await ListeningAsync(), await ListeningAsync());
        hanging.OnCall = _ => DeliveryVerdict.Busy;

        var result = await new TestPublisher(_channel) { ServedEpoch = own.Address.Epoch, IsServed = true }.Publish("1");
        Assert.True(result.IsPending);

        await Assert.ThrowsAsync<UnavailableException>(
            () => new TestPublisher(_channel) { ServedEpoch = own.Address.Epoch }.Publish("2"));
    }

    [Fact]
    public async Task A_send_that_nobody_listens_to_is_no_failure()
    {
        var result = await new TestPublisher(_channel).Publish("1");

        Assert.False(result.IsPending);
    }

    [Fact]
    public async Task A_repeated_publish_is_answered_as_before_and_sent_once()
    {
        var frontend = await ListeningAsync();
        var publisher = new TestPublisher(_channel);
        var batch = publisher.Batch("1", "2");

        var first = await _channel.Publish(batch);
        var again = await _channel.Publish(batch);
        await publisher.Publish("3");
        await _channel.Publish(batch);

        Assert.Equal(first.Claimed, again.Claimed);
        Assert.Equal(["1", "2", "3"], frontend.Taken);
    }

    [Fact]
    public async Task A_frontend_without_a_listener_is_asked_once_and_then_left_alone()
    {
        var other = await cluster.StartFrontendAsync();
        other.Listens = false;
        var publisher = new TestPublisher(_channel);

        await publisher.Publish("1");
        await publisher.Publish("2");

        Assert.Equal(1, other.Calls);
    }

    [Fact]
    public async Task A_leave_that_arrives_after_a_younger_listen_changes_nothing()
    {
        var frontend = await cluster.StartFrontendAsync();
        var publisher = new TestPublisher(_channel);
        await publisher.Publish("before"); // so that the channel no longer asks everyone

        await _channel.Listen(frontend.Address, change: 3);
        await _channel.Leave(frontend.Address.Epoch, change: 2);
        await publisher.Publish("1");
        await _channel.Leave(frontend.Address.Epoch, change: 4);
        await publisher.Publish("2");

        Assert.DoesNotContain("2", frontend.Taken);
        Assert.Contains("1", frontend.Taken);
    }

    [Fact]
    public async Task A_channel_waits_for_frontends_that_a_new_directory_has_not_heard_of()
    {
        var frontend = await ListeningAsync();
        await cluster.DeactivateAllAsync(); // the channel and the directory forget everything; the leases are stored

        var publishing = new TestPublisher(_channel).Publish("1");
        var cancellation = TestContext.Current.CancellationToken;
        await Task.WhenAny(publishing, Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, cancellation));
        Assert.False(publishing.IsCompletedSuccessfully);
        foreach (var lease in await cluster.Leases.GetLive())
        {
            await cluster.Directory.Announce(lease.Epoch == frontend.Address.Epoch ? frontend.Address : new(lease.Epoch, Deaf));
        }

        await publishing;
        Assert.Equal(["1"], frontend.Taken);
    }

    private IFrontendObserver Deaf => field ??= cluster.Grains.CreateObjectReference<IFrontendObserver>(_deaf);

    private readonly TestFrontend _deaf = new() { Listens = false };

    private async Task<TestFrontend> ListeningAsync()
    {
        var frontend = await cluster.StartFrontendAsync();
        await _channel.Listen(frontend.Address, change: 1);
        return frontend;
    }
}

/// <summary>Kills silos, so it has a cluster of its own.</summary>
public sealed class ChannelCrashTests(ChannelCluster cluster) : IClassFixture<ChannelCluster>
{
    [Fact]
    public async Task A_channel_whose_silo_was_killed_loses_no_later_message()
    {
        var channel = cluster.NewChannel();
        var (a, b) = (await cluster.StartFrontendAsync(), await cluster.StartFrontendAsync());
        await channel.Listen(a.Address, change: 1);
        await channel.Listen(b.Address, change: 1);
        var publisher = new TestPublisher(channel);
        await publisher.Publish("1");

        await cluster.KillSiloOfAsync(channel);
        using var announcing = new CancellationTokenSource();
        var announced = AnnounceAsync([a, b], announcing.Token); // as frontends do all the time
        var batch = publisher.Batch("2");
        await Eventually.DoneAsync(() => channel.Publish(batch).AsTask());
        await announcing.CancelAsync();
        await announced;

        Assert.Equal(["1", "2"], a.Taken);
        Assert.Equal(["1", "2"], b.Taken);
    }

    private async Task AnnounceAsync(TestFrontend[] frontends, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            foreach (var frontend in frontends)
            {
                await Eventually.DoneAsync(() => cluster.Directory.Announce(frontend.Address).AsTask());
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, CancellationToken.None);
        }
    }
}
