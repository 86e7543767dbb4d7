using Marketplace.Hosting.Cluster;
using Marketplace.References;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;

namespace Marketplace.WebFrontend.Hosting;

public static class ClusterClientExtensions
{
    /// <summary>Links the frontend to the silos that PostgreSQL's membership table names.</summary>
    public static WebApplicationBuilder AddClusterClient(this WebApplicationBuilder builder)
    {
        builder.Host.UseOrleansClient(client =>
        {
            client.UseAdoNetClustering(clustering => clustering.Configure<NpgsqlDataSource>((options, dataSource) =>
            {
                options.Invariant = "Npgsql";
                options.DataSource = dataSource;
            }));
            client.UseConnectionRetryFilter<RetryUntilStopped>();
            client.Services.AddKnownInterfaceTypes();

            // Also how long a gateway that failed once is left out. A hung silo is noticed in about 6 s: with what is waited here
            // that must stay well under a frontend's lease.
            client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = TimeSpan.FromSeconds(2));
            client.Services.AddOptions<ClusterOptions>().Configure<IOptions<ClusterSettings>>((options, cluster) =>
            {
                options.ClusterId = cluster.Value.ClusterId;
                options.ServiceId = cluster.Value.ServiceId;
            });
            client.Services.AddOptions<ClientMessagingOptions>().Configure<IOptions<ClusterSettings>>((options, cluster) =>
                options.ResponseTimeout = cluster.Value.ResponseTimeout);
        });

        // Orleans' client blocks its start until it has found a silo. Kestrel starts beside it, so that a frontend that was
        // started first answers health checks, and lets everything else wait a while, instead of refusing connections.
        builder.Services.Configure<HostOptions>(options => options.ServicesStartConcurrently = true);
        return builder;
    }
}

/// <summary>A frontend without silos waits for them, however long, and says so.</summary>
internal sealed partial class RetryUntilStopped(TimeProvider clock, ILogger<RetryUntilStopped> logger)
    : IClientConnectionRetryFilter
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public async Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return false;
        }

        LogWaiting(exception.Message);
        await Task.Delay(Interval, clock, cancellationToken);
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "No silo can be reached yet; trying again. {Reason}")]
    private partial void LogWaiting(string reason);
}
