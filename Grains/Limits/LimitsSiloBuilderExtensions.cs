using Marketplace.Grains.Limits.Storage;
using Marketplace.Hosting.Settings;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;

namespace Marketplace.Grains.Limits;

public static class LimitsSiloBuilderExtensions
{
    /// <summary>A bucket that nobody asked for this long leaves memory; its row has all it needs to come back.</summary>
    private static readonly TimeSpan CollectionAge = TimeSpan.FromMinutes(2);

    /// <summary>Adds buckets, persisted in PostgreSQL. Idempotent.</summary>
    public static ISiloBuilder AddLimits(this ISiloBuilder silo)
    {
        silo.Services.AddSettings<LimitsOptions>(LimitsOptions.Section);
        silo.Services.TryAddSingleton<IBucketStore, PostgresBucketStore>();
        silo.Services.AddHostedService<BucketSweeper>();
        silo.Configure<GrainCollectionOptions>(options =>
            options.ClassSpecificCollectionAge[typeof(BucketGrain).FullName!] = CollectionAge);
        return silo;
    }
}
