using Marketplace.Grains.Limits;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Orleans.TestingHost;

namespace Grains.Tests.Limits.Policies;

/// <summary>Silos over a database; two of these over one are two activations of every grain.</summary>
internal sealed class PoliciesCluster : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;

    private PoliciesCluster(InProcessTestCluster cluster) => _cluster = cluster;

    public ILimitPoliciesGrain Grain => _cluster.Client.GetGrain<ILimitPoliciesGrain>(0);

    public static async Task<PoliciesCluster> StartAsync(NpgsqlDataSource database, int silos = 2)
    {
        var builder = new InProcessTestClusterBuilder((short)silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton(database);
            silo.Services.AddSingleton(TimeProvider.System);
            silo.AddLimits();
#pragma warning disable ORLEANSEXP003
            silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        });
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new(cluster);
    }

    public IBucketGrain Bucket(string key) => _cluster.Client.GetGrain<IBucketGrain>(key);

    /// <summary>What each silo goes by.</summary>
    public IEnumerable<LimitPolicies> OfSilos() => _cluster.Silos.Select(silo => silo.ServiceProvider.GetRequiredService<LimitPolicies>());

    /// <summary>Waits until every silo goes by this version.</summary>
    public Task HeardAsync(string policy, int version) =>
        Realtime.Eventually.TrueAsync(() => OfSilos().All(policies => policies.Find(policy)!.Version == version));

    public Task DeactivateAsync() => _cluster.DeactivateAsync(Grain);

    /// <summary>Has a bucket leave memory in an orderly way.</summary>
    public Task ForgetAsync(IBucketGrain bucket) => _cluster.DeactivateAsync(bucket);

    public Task StartSiloAsync() => _cluster.StartAdditionalSiloAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}
