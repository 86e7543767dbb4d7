using Marketplace.Grains.Limits;
using Marketplace.Grains.Limits.Storage;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;

namespace Grains.Tests.Limits;

public sealed class BucketGrainTests : IAsyncLifetime
{
    private readonly MemoryBucketStore _store = new();
    private InProcessTestCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 2);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton<IBucketStore>(_store);
            silo.Services.AddSingleton(TimeProvider.System);
            silo.AddLimits();
            silo.Services.Remove(silo.Services.First(service => service.ImplementationType == typeof(BucketSweeper)));
#pragma warning disable ORLEANSEXP003
            silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task A_hundred_concurrent_holders_get_exactly_the_limit()
    {
        var bucket = Bucket("general|a");

        var grants = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 1)).AsTask()));

        Assert.Equal(200, grants.Sum(grant => grant.Granted));
    }

    [Fact]
    public async Task An_orderly_move_costs_no_permit_and_takes_along_who_holds_leases()
    {
        var holder = Guid.NewGuid();
        var (bucket, before) = await AskAndLeaveMemoryAsync("general|moves", holder, wanted: 3);

        var repeated = await bucket.Exchange(Ask(holder, 1, wanted: 3));
        await bucket.HandBack(new(holder, new(1, 2, before.Lot), Held: 0, Round: 0, Seen: 1));
        var after = await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 400));

        Assert.Equal((3, before.Lot), (repeated.Granted, repeated.Lot));
        Assert.Equal(200, before.Granted - 2 + after.Granted);
    }

    [Fact]
    public async Task What_comes_back_to_a_bucket_that_has_left_memory_counts()
    {
        var holder = Guid.NewGuid();
        var (bucket, before) = await AskAndLeaveMemoryAsync("general|sleeps", holder, wanted: 3);

        PermitHandBack handBack = new(holder, new(1, 2, before.Lot), Held: 0, Round: 0, Seen: 1);
        Assert.All(await Task.WhenAll(bucket.HandBack(handBack).AsTask(), bucket.HandBack(handBack).AsTask()), Assert.True);

        Assert.Equal(199, (await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 400))).Granted);
    }

    [Fact]
    public async Task Before_anyone_is_refused_all_others_are_asked_for_what_they_have()
    {
        var bucket = Bucket("general|recalled");
        var hoarder = new Hoarder(bucket);
        var callback = _cluster.Client.CreateObjectReference<IPermitHolder>(hoarder);
        hoarder.Lot = (await bucket.Exchange(Ask(hoarder.Id, 1, wanted: 150) with { Callback = callback })).Lot;

        var grant = await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 120));

        Assert.Equal(120, grant.Granted); // 50 were free, and 100 came back
        GC.KeepAlive(hoarder);
    }

    [Fact]
    public async Task A_holder_that_does_not_answer_a_recall_is_passed_over()
    {
        var bucket = Bucket("general|silent");
        var mute = new Mute();
        var callback = _cluster.Client.CreateObjectReference<IPermitHolder>(mute);
        await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 150) with { Callback = callback });

        Assert.Equal(50, (await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 120))).Granted);
        GC.KeepAlive(mute);
    }

    [Fact]
    public async Task A_frontend_that_is_gone_keeps_few_of_its_buckets_callers_waiting()
    {
        const int Buckets = 40;
        var mute = new Mute();
        var gone = Ask(Guid.NewGuid(), 1, wanted: 200) with { Callback = _cluster.Client.CreateObjectReference<IPermitHolder>(mute) };
        for (var i = 0; i < Buckets; i++)
        {
            Assert.Equal(200, (await Bucket($"general|gone-{i}").Exchange(gone)).Granted);
        }

        for (var i = 0; i < Buckets; i++)
        {
            Assert.Equal(0, (await Bucket($"general|gone-{i}").Exchange(Ask(Guid.NewGuid(), 1, wanted: 1))).Granted);
        }

        Assert.InRange(mute.Recalls, 1, Buckets / 2); // each of them is half a second's wait
    }

    [Fact]
    public async Task An_activation_that_was_overtaken_starts_over_from_the_row()
    {
        var bucket = Bucket("general|overtaken");
        var holder = Guid.NewGuid();
        await bucket.Exchange(Ask(holder, 1, wanted: 1));
        await _store.OvertakeAsync("general|overtaken", permits: 150);

        // Up to what it reserved it may go on; past it the write is refused and the next call reads the row.
        await Assert.ThrowsAsync<Marketplace.Trouble.UnavailableException>(async () =>
            await bucket.Exchange(Ask(holder, 2, wanted: 100)));
        Assert.Equal(50, (await bucket.Exchange(Ask(holder, 2, wanted: 100))).Granted);
    }

    [Fact]
    public async Task A_look_changes_nothing_and_a_reset_forgets_what_was_counted()
    {
        var bucket = Bucket("general|looked-at");
        Assert.Equal((0, 200), await ViewAsync());
        await bucket.Exchange(Ask(Guid.NewGuid(), 1, wanted: 30));
        Assert.Equal((30, 170), await ViewAsync());

        await bucket.Reset();

        Assert.Equal((0, 200), await ViewAsync());

        async Task<(int Used, int Remaining)> ViewAsync() => await bucket.Peek() is var view ? (view.Used, view.Remaining) : default;
    }

    [Fact]
    public async Task A_policy_that_no_silo_knows_is_an_error_that_names_the_setting()
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(async () =>
            await Bucket("unheard-of|a").Exchange(Ask(Guid.NewGuid(), 1, wanted: 1)));

        Assert.Contains("Limits:Policies", error.Message, StringComparison.Ordinal);
    }

    private static PermitRequest Ask(Guid holder, long sequence, int wanted) => new(holder, sequence, wanted, 0, 0, default, null);

    private IBucketGrain Bucket(string key) => _cluster.Client.GetGrain<IBucketGrain>(key);

    /// <summary>A bucket that has granted something and was then let go of in an orderly way.</summary>
    private async Task<(IBucketGrain Bucket, PermitGrant Grant)> AskAndLeaveMemoryAsync(string key, Guid holder, int wanted)
    {
        var bucket = Bucket(key);
        var grant = await bucket.Exchange(Ask(holder, 1, wanted));
        await _cluster.Client.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);
        await _store.WaitForAsync(key, permits: wanted);
        return (bucket, grant);
    }

    /// <summary>Has 150 permits, has spent 50, and hands back the rest when it is asked.</summary>
    private sealed class Hoarder(IBucketGrain bucket) : IPermitHolder
    {
        public Guid Id { get; } = Guid.NewGuid();

        public long Lot { get; set; }

        public async Task Recall(string key, long round, long answered) =>
            await bucket.HandBack(new(Id, new(1, 100, Lot), Held: 0, round, Seen: answered));

        public Task Reopened(string key) => Task.CompletedTask;
    }

    private sealed class Mute : IPermitHolder
    {
        private int _recalls;

        public int Recalls => Volatile.Read(ref _recalls);

        public Task Recall(string bucket, long round, long answered)
        {
            Interlocked.Increment(ref _recalls);
            return Task.CompletedTask;
        }

        public Task Reopened(string bucket) => Task.CompletedTask;
    }
}
