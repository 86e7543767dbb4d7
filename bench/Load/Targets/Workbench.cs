using System.Globalization;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Bench.Load.Targets;

/// <summary>What a scenario works with: options, a directory, and the services that it starts, which end with it.</summary>
internal sealed class Workbench<TOptions>(TOptions options, CancellationToken stopping) : Workbench(stopping)
{
    public TOptions Options => options;
}

/// <inheritdoc cref="Workbench{TOptions}"/>
internal abstract class Workbench(CancellationToken stopping) : IAsyncDisposable
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(10);
    private readonly List<ManagedProcess> _processes = [];
    private readonly List<LocalCluster> _clusters = [];
    private readonly List<string> _databases = [];
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();

    /// <summary>Cancelled when the whole benchmark is to end.</summary>
    public CancellationToken Stopping => stopping;

    /// <summary>For data and logs; below the working directory, since a temporary one may be kept in memory.</summary>
    public string Directory { get; } = System.IO.Directory.CreateDirectory(
        Path.GetFullPath(Path.Combine(".data", $"bench-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}"))).FullName;

    /// <summary>Says where things are, with the seconds since the scenario began.</summary>
    public void Progress(string text) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{TimeProvider.System.GetElapsedTime(_startedAt).TotalSeconds,5:F0} s  {text}"));

    /// <summary>Starts the marketplace: PostgreSQL, silos and frontends.</summary>
    /// <param name="name">As the report calls it.</param>
    /// <param name="settings">In addition to the defaults that a user would have.</param>
    /// <param name="frontends">How many of them.</param>
    /// <param name="silos">How many silos.</param>
    public async Task<Target> StartMarketplaceAsync(
        string name, IReadOnlyDictionary<string, string> settings, int frontends = 1, int silos = 1)
    {
        Progress($"starting {name}");
        var directory = Path.Combine(Directory, $"cluster-{_clusters.Count + 1}");
        _databases.Add(Path.Combine(directory, "postgres"));
        var cluster = await LocalCluster.StartAsync(
            new LocalClusterOptions
            {
                Directory = directory,
                Silos = silos,
                Frontends = frontends,
                WithNginx = false,
                RestartsDeadProcesses = false, // a run that lost a process is void
                Settings = settings,
            },
            TextWriter.Null,
            Stopping);
        _clusters.Add(cluster);
        return new Target(name, cluster.Frontends) { Cluster = cluster };
    }

    /// <summary>Starts a process that ends with this scenario.</summary>
    public async Task<ManagedProcess> StartAsync(ProcessPlan plan)
    {
        var process = new ManagedProcess(plan, TimeProvider.System);
        _processes.Add(process);
        await process.StartAsync(Stopping);
        return process;
    }

    /// <summary>Starts a peer and waits until it answers.</summary>
    /// <param name="name">As the report calls it.</param>
    /// <param name="plans">One for each process that serves clients; asked for the next one when the one before is ready.</param>
    public async Task<Target> StartPeerAsync(string name, IEnumerable<ProcessPlan> plans)
    {
        Progress($"starting {name}");
        var servers = new List<ManagedProcess>();
        foreach (var plan in plans)
        {
            var process = await StartAsync(plan);
            await process.WaitForReadyAsync(ReadyWithin, Stopping);
            servers.Add(process);
        }

        return new Target(name, servers);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
        {
            await process.StopAsync(StopWithin);
            await process.DisposeAsync();
        }

        foreach (var cluster in _clusters)
        {
            await cluster.DisposeAsync();
        }

        foreach (var database in _databases)
        {
            await PostgresServer.TryDeleteAsync(database, TimeProvider.System); // which need not lie in our directory
        }

        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
