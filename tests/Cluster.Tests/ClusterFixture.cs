using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;
using Npgsql;

namespace Cluster.Tests;

/// <summary>
/// Three silos, two frontends, nginx and PostgreSQL as processes, started at once on an empty database. Tests share it and must
/// leave everything running; each counts under addresses and users of its own.
/// </summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    /// <summary>The address whose owner is an operator.</summary>
    public const string Operator = "operator@example.org";

    /// <summary>What clients' departures are spread over: so long that a client that is held up for seconds is in time.</summary>
    public static readonly TimeSpan DrainWindow = TimeSpan.FromSeconds(15);

    private static int _addresses;
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"marketplace-cluster-{Guid.NewGuid():N}");

    public LocalCluster Cluster { get; private set; } = null!;

    /// <summary>Where the silos put mails that would have been sent.</summary>
    public string MailDirectory => Path.Combine(_directory, "mail");

    public async ValueTask InitializeAsync() => Cluster = await LocalCluster.StartAsync(
        new LocalClusterOptions
        {
            Directory = _directory,
            Silos = 3,
            Frontends = 2,
            RestartsDeadProcesses = true,
            Postgres = PostgresTuning.ThrowAway,
            Settings = new Dictionary<string, string>
            {
                // Five pools of one machine's test, not of five machines.
                ["Database__MinPoolSize"] = "2",
                ["Database__MaxPoolSize"] = "20",
                ["Limits__Policies__general__Trouble"] = "Deny", // what is killed here must never cost exactness
                ["Mail__Directory"] = MailDirectory,
                ["Users__PasswordIterations"] = "1000", // hundreds of logins
                ["Users__Operators__0"] = Operator,
                ["Live__OpenRooms"] = "true",
            },
            FrontendSettings = new Dictionary<string, string>
            {
                ["Frontend__DrainWindow"] = $"{DrainWindow:c}",
            },
        },
        TextWriter.Null);

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await PostgresServer.TryDeleteAsync(Path.Combine(_directory, "postgres"), TimeProvider.System);
        if (Directory.Exists(_directory))
        {
            Directory.Delete(_directory, recursive: true);
        }
    }

    /// <summary>A client address that no other test uses; frontends trust a loopback peer's X-Forwarded-For.</summary>
    public static string NewAddress()
    {
        var number = Interlocked.Increment(ref _addresses);
        return $"198.51.{number / 250}.{(number % 250) + 1}";
    }

    /// <summary>Waits until a process that was killed is ready again.</summary>
    public static Task BackAsync(ManagedProcess process) => EventuallyAsync(
        () => process.IsReadyAsync(), TimeSpan.FromSeconds(90), $"{process.Name} was killed and did not come back");

    /// <summary>
    /// Waits until every process is ready, every frontend admits a request, and no lease is left of a frontend that was killed.
    /// </summary>
    public async Task SettledAsync()
    {
        foreach (var process in Cluster.Silos.Concat(Cluster.Frontends))
        {
            await BackAsync(process);
        }

        await EventuallyAsync(IsSettledAsync, TimeSpan.FromSeconds(90), "the cluster did not settle");
    }

    /// <summary>Polls until <paramref name="condition"/> holds.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> condition, TimeSpan within, string otherwise)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < within, otherwise);
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        }
    }

    private async Task<bool> IsSettledAsync()
    {
        try
        {
            using var client = new HttpClient { DefaultRequestHeaders = { { "X-Forwarded-For", NewAddress() } } };
            foreach (var frontend in Cluster.Frontends)
            {
                using var answer = await client.GetAsync(new Uri(frontend.Address, "/api/v1/ping"));
                if (!answer.IsSuccessStatusCode)
                {
                    return false;
                }
            }

            // Not from a pool: PostgreSQL may have been killed since the connection was opened.
            await using var database = new NpgsqlConnection($"{Cluster.Postgres.ConnectionString};Pooling=false");
            await database.OpenAsync();
            await using var leases = new NpgsqlCommand("SELECT count(*) FROM frontend_leases", database);
            return await leases.ExecuteScalarAsync() is long count && count == Cluster.Frontends.Count;
        }
        catch (Exception error) when (error is HttpRequestException or NpgsqlException)
        {
            return false;
        }
    }
}

/// <summary>Tests that run one after another on the shared cluster.</summary>
[CollectionDefinition(Name)]
public sealed class SharedCluster : ICollectionFixture<ClusterFixture>
{
    public const string Name = "shared cluster";
}
