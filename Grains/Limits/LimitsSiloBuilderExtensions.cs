using Marketplace.Grains.Limits.Policies;
using Marketplace.Grains.Limits.Storage;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;

namespace Marketplace.Grains.Limits;

public static class LimitsSiloBuilderExtensions
{
    /// <summary>
    /// A bucket that nobody asked for this long leaves memory; its row has all it needs to come back. Coming back costs several
    /// times what an exchange does, and a flood of addresses leaves about 2 KB each in memory for this long.
    /// </summary>
    private static readonly TimeSpan CollectionAge = TimeSpan.FromMinutes(2);

    /// <summary>How often that is looked for.</summary>
    private static readonly TimeSpan CollectionQuantum = TimeSpan.FromSeconds(10);

    /// <summary>Adds buckets, persisted in PostgreSQL. Idempotent.</summary>
    public static ISiloBuilder AddLimits(this ISiloBuilder silo)
    {
        silo.Services.AddSettings<LimitsOptions>(LimitsOptions.Section);
        silo.Services.AddLimitPolicies();
        silo.Services.TryAddSingleton<LimitPolicyStore>();
        silo.Services.AddSingleton<ILifecycleParticipant<ISiloLifecycle>, LimitPoliciesAtStart>();
        silo.Services.TryAddSingleton<IBucketStore, PostgresBucketStore>();
        silo.Services.TryAddSingleton<LimitMeters>();
        silo.Services.AddHostedService<BucketSweeper>();
        silo.Configure<GrainCollectionOptions>(options =>
        {
            options.CollectionQuantum = CollectionQuantum;
            options.ClassSpecificCollectionAge[typeof(BucketGrain).FullName!] = CollectionAge;
        });
        return silo;
    }
}
