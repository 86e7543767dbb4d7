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

        var grants = await Task.WhenAll(Enumerable.Range(0, 400).Select(i =>
            bucket.Exchange(new(Guid.NewGuid(), 1, Wanted: 1, 0, 0)).AsTask()));

        Assert.Equal(200, grants.Sum(grant => grant.Granted));
    }

    [Fact]
    public async Task An_orderly_move_costs_no_permit()
    {
        var bucket = Bucket("general|moves");
        var before = (await bucket.Exchange(new(Guid.NewGuid(), 1, Wanted: 3, 0, 0))).Granted;

        await _cluster.Client.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);
        await _store.WaitForAsync("general|moves", reserved: 3);
        var after = (await bucket.Exchange(new(Guid.NewGuid(), 1, Wanted: 400, 0, 0))).Granted;

        Assert.Equal(200, before + after);
    }

    [Fact]
    public async Task An_activation_that_was_overtaken_starts_over_from_the_row()
    {
        var bucket = Bucket("general|overtaken");
        var holder = Guid.NewGuid();
        await bucket.Exchange(new(holder, 1, Wanted: 1, 0, 0));
        await _store.OvertakeAsync("general|overtaken", reserved: 150);

        // Up to what it reserved it may go on; past it the write is refused and the next call reads the row.
        await Assert.ThrowsAsync<Marketplace.Trouble.UnavailableException>(async () =>
            await bucket.Exchange(new(holder, 2, Wanted: 100, 0, 0)));
        Assert.Equal(50, (await bucket.Exchange(new(holder, 2, Wanted: 100, 0, 0))).Granted);
    }

    [Fact]
    public async Task A_policy_that_no_silo_knows_is_an_error_that_names_the_setting()
    {
        var error = await Assert.ThrowsAsync<ArgumentException>(async () =>
            await Bucket("unheard-of|a").Exchange(new(Guid.NewGuid(), 1, 1, 0, 0)));

        Assert.Contains("Limits:Policies", error.Message, StringComparison.Ordinal);
    }

    private IBucketGrain Bucket(string key) => _cluster.Client.GetGrain<IBucketGrain>(key);
}
