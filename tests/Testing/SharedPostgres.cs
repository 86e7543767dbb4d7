using System.Globalization;
using Marketplace.Standalone.PrivatePostgres;
using Microsoft.Extensions.Logging.Abstractions;

namespace Marketplace.Testing;

/// <summary>
/// One throw-away PostgreSQL for all tests of a process: started when the first test asks, stopped and deleted when the
/// process exits. Every test takes a database of its own.
/// </summary>
public static class SharedPostgres
{
    private static readonly string Root = Path.Combine(Path.GetTempPath(), "marketplace-tests");
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(20);
    private static readonly Lazy<Task<PostgresServer>> Server = new(StartAsync);
    private static int _databases;

    /// <summary>The server, for tests that stop or kill it; those should rather start one of their own.</summary>
    public static Task<PostgresServer> ServerAsync() => Server.Value;

    /// <summary>Creates an empty database and returns its connection string.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var server = await Server.Value;
        return await server.CreateDatabaseAsync(
            string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref _databases)}"));
    }

    private static async Task<PostgresServer> StartAsync()
    {
        // Servers of test processes that were killed. A directory that is being made right now is not locked yet.
        var longAgo = TimeProvider.System.GetUtcNow().UtcDateTime - TimeSpan.FromMinutes(1);
        Directory.CreateDirectory(Root);
        foreach (var abandoned in Directory.GetDirectories(Root).Where(path => Directory.GetCreationTimeUtc(path) < longAgo))
        {
            await PostgresServer.TryDeleteAsync(abandoned, TimeProvider.System);
        }

        var directory = Path.Combine(Root, $"{Environment.ProcessId}-{Guid.NewGuid():N}");
        var server = await PostgresServer.StartAsync(directory, NullLogger.Instance, TimeProvider.System, PostgresTuning.ThrowAway);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            // What isn't done in time, the next process that starts one here does.
            _ = Task.Run(() => EndAsync(server, directory)).Wait(EndWithin);
        };
        return server;
    }

    /// <summary>Nothing of it is needed any more, so it isn't stopped in order.</summary>
    private static async Task EndAsync(PostgresServer server, string directory)
    {
        await server.KillAsync();
        await server.DisposeAsync();
        await PostgresServer.TryDeleteAsync(directory, TimeProvider.System);
    }
}
