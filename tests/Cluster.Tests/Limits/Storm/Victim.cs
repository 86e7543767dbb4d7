using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests.Limits.Storm;

/// <summary>Something that can be killed, or stopped for a while.</summary>
/// <param name="Name">For people.</param>
/// <param name="Kind">Processes of one kind stand in for each other: half of them may be down at once.</param>
/// <param name="KillAsync">kill -9; the cluster starts it again by itself.</param>
/// <param name="Pause">SIGSTOP.</param>
/// <param name="Resume">SIGCONT; does nothing where nothing is stopped.</param>
/// <param name="IsUpAsync">Whether it can do its work.</param>
internal sealed record Victim(
    string Name, string Kind, Func<Task> KillAsync, Action Pause, Action Resume, Func<CancellationToken, Task<bool>> IsUpAsync)
{
    public const string Frontend = "frontend";

    public static IReadOnlyList<Victim> AllOf(LocalCluster cluster) =>
    [
        .. cluster.Silos.Select(silo => Of("silo", silo)),
        .. cluster.Frontends.Select(frontend => Of(Frontend, frontend)),
        Of(cluster.Postgres),
    ];

    private static Victim Of(string kind, ManagedProcess process) => new(
        process.Name,
        kind,
        () =>
        {
            process.Kill();
            return process.WaitForExitAsync();
        },
        process.Pause,
        process.Resume,
        process.IsReadyAsync);

    private static Victim Of(PostgresServer postgres) => new(
        "postgres", "postgres", postgres.KillAsync, postgres.Pause, postgres.Resume, _ => Task.FromResult(postgres.IsRunning));
}
