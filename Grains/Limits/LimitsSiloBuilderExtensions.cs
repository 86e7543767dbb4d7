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
    /// A bucket that was asked once and nobody asked for this long leaves memory, and its row has all it needs to come back: this
    /// bounds what a flood of new addresses can fill. One that is asked again stays longer, see <see cref="BucketGrain"/>.
    /// </summary>
    private static readonly TimeSpan CollectionAge = TimeSpan.FromSeconds(30);

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
        silo.Services.TryAddSingleton<SilentHolders>();
        silo.Services.AddHostedService<BucketSweeper>();
        silo.Configure<GrainCollectionOptions>(options =>
        {
            options.CollectionQuantum = CollectionQuantum;
            options.ClassSpecificCollectionAge[typeof(BucketGrain).FullName!] = CollectionAge;
        });
        return silo;
    }
}
