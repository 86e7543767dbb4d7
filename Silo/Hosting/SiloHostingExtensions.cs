using Marketplace.Grains.Connections;
using Marketplace.Grains.Limits;
using Marketplace.Grains.Realtime;
using Marketplace.Grains.Storage;
using Marketplace.Grains.Users;
using Marketplace.Hosting.Cluster;
using Marketplace.Hosting.Database;
using Marketplace.Hosting.Settings;
using Marketplace.References;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;

namespace Marketplace.Silo.Hosting;

public static class SiloHostingExtensions
{
    /// <summary>Adds a whole silo: database, membership, storage and the grains of every feature.</summary>
    public static WebApplicationBuilder AddMarketplaceSilo(this WebApplicationBuilder builder)
    {
        builder.Services.AddMarketplaceDatabase();
        builder.Services.AddSettings<ClusterSettings>(ClusterSettings.Section);
        builder.Services.AddSettings<SiloSettings>(SiloSettings.Section);
        builder.Services.AddHostedService<SiloPortsCheck>();
        builder.Host.UseOrleans(silo => silo
            .AddMembership()
            .AddGrainStorage()
            .AddStorageTrouble()
            .AddLimits()
            .AddUsers()
            .AddConnections()
            .AddRealtime());
        return builder;
    }

    private static ISiloBuilder AddMembership(this ISiloBuilder silo)
    {
        silo.UseAdoNetClustering(clustering => clustering.Configure<NpgsqlDataSource>((options, dataSource) =>
        {
            options.Invariant = "Npgsql";
            options.DataSource = dataSource;
        }));
        silo.Services.AddOptions<ClusterOptions>().Configure<IOptions<ClusterSettings>>((options, cluster) =>
        {
            options.ClusterId = cluster.Value.ClusterId;
            options.ServiceId = cluster.Value.ServiceId;
        });
        silo.Services.AddOptions<EndpointOptions>().Configure<IOptions<SiloSettings>>((options, settings) =>
        {
            options.AdvertisedIPAddress = settings.Value.Address;
            options.SiloPort = settings.Value.SiloPort;
            options.GatewayPort = settings.Value.GatewayPort;
        });
        silo.Services.AddOptions<SiloOptions>().Configure<IOptions<SiloSettings>>((options, settings) =>
            options.SiloName = settings.Value.Name is { Length: > 0 } name
                ? name : $"{Environment.MachineName}-{settings.Value.SiloPort}");
        silo.Services.AddOptions<SiloMessagingOptions>().Configure<IOptions<ClusterSettings>>((options, cluster) =>
            options.ResponseTimeout = cluster.Value.ResponseTimeout);
        silo.Configure<ClusterMembershipOptions>(FindDeadSilosInSeconds);
        silo.Services.AddKnownInterfaceTypes();

        // What a dead silo held would otherwise stay closed for 30 s, longer than a frontend's lease, so that nothing runs twice
        // should the silo be alive after all. Nothing here relies on that: buckets, counters, users and leases are fenced by
        // their rows, channels know repeats, and such a silo may run on for longer than any wait.
        silo.Configure<GrainDirectoryOptions>(options => options.RangeLeaseDuration = TimeSpan.Zero);

        // Linearizable, unlike the default directory: one activation of a bucket or a counter is what makes it cheap, though
        // never what makes it exact (that is the etag of its row).
#pragma warning disable ORLEANSEXP002, ORLEANSEXP003
        silo.AddDistributedGrainDirectory();
        silo.AddActivationRebalancer(); // a silo that joins takes its share without waiting for churn
#pragma warning restore ORLEANSEXP002, ORLEANSEXP003
        return silo;
    }

    /// <summary>
    /// A killed silo is declared dead in about 1.4 s and a hung one in about 6 s, instead of 7 s and a minute. A vote is held
    /// back while a connection received data within MaxProbeTimeout x NumMissedProbesLimit, so that product bounds the hang.
    /// </summary>
    private static void FindDeadSilosInSeconds(ClusterMembershipOptions options)
    {
        options.ProbeTimeout = TimeSpan.FromSeconds(1);
        options.MinProbeTimeout = TimeSpan.FromSeconds(0.5);
        options.MaxProbeTimeout = TimeSpan.FromSeconds(2);
        options.NumMissedProbesLimit = 3;

        // Rows of a cluster that was killed as a whole block a new silo for three times this long.
        options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);

        // A silo that missed the gossip of its own death learns of it from the table within this time.
        options.TableRefreshTimeout = TimeSpan.FromSeconds(5);
        options.DefunctSiloExpiration = TimeSpan.FromDays(1);
        options.DefunctSiloCleanupPeriod = TimeSpan.FromHours(1);
    }

    private static ISiloBuilder AddGrainStorage(this ISiloBuilder silo)
    {
        silo.AddAdoNetGrainStorageAsDefault(storage => storage.Configure<NpgsqlDataSource>((options, dataSource) =>
        {
            options.Invariant = "Npgsql";
            options.DataSource = dataSource;
            options.DeleteStateOnClear = true;
            options.GrainStorageSerializer = new ReadableJsonSerializer();
        }));
        return silo;
    }
}
