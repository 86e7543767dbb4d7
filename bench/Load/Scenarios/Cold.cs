using System.Globalization;
using System.Net;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;
using Npgsql;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>Addresses that nobody has seen before: each is a grain to activate and a row to commit before it is answered.</summary>
internal sealed class Cold : IScenario<BenchOptions>
{
    /// <summary>Rounds with other addresses beforehand: it is the addresses that are to be new, not the processes.</summary>
    private const int WarmUps = 6;

    private static readonly string[] Durability = ["fsync", "synchronous_commit", "full_page_writes"];

    public string Name => "cold";

    public string Summary => "Addresses never seen before, one request each, all at once, with a PostgreSQL that syncs to disk.";

    public async Task RunAsync(Workbench<BenchOptions> workbench, Section section)
    {
        var options = workbench.Options;
        var ours = await workbench.StartMarketplaceAsync("marketplace", MarketplaceSettings.Defaults);
        await ours.CheckAsync(HttpStatusCode.OK, "text/plain", "192.0.2.1", workbench.Stopping);
        var durability = await DurabilityAsync(ours.Cluster!.Postgres.ConnectionString, workbench.Stopping);

        var results = new List<OnceEachResult>();
        for (var round = 1 - WarmUps; round <= options.Rounds; round++)
        {
            var result = await OnceEach.RunAsync(
                ours.Ping, (round + WarmUps) * options.Addresses, options.Addresses, options.Connections, answered: null, workbench.Stopping);
            workbench.Progress(string.Create(CultureInfo.InvariantCulture,
                $"{(round <= 0 ? "warming up" : $"round {round} of {options.Rounds}")}: {result.PerSecond:F0}/s, p99 {result.P99Milliseconds:F1} ms, "
                + $"{result.Admitted:N0} of {result.Requests:N0} admitted"));
            if (round > 0)
            {
                results.Add(result);
            }
        }

        var rate = new Series(results.Select(result => result.PerSecond));
        var p99 = new Series(results.Select(result => result.P99Milliseconds));
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Addresses:N0} new client addresses a round, one request each over {options.Connections} connections, {options.Rounds} rounds after "
            + $"{WarmUps} with other addresses for warming up; default settings; {durability}, data on {FileSystemOf(workbench.Directory)}."));
        section.Table(
            ["", "new partitions/s", "p50, ms", "p99, ms", "slowest, ms"],
            [["marketplace", rate.ToString("F0"), new Series(results.Select(result => result.P50Milliseconds)).ToString("F1"),
                p99.ToString("F1"), new Series(results.Select(result => result.LongestMilliseconds)).ToString("F1")]]);
        section.AtLeast("answered with 200, the worst round", options.Addresses, new([results.Min(result => result.Admitted)]), "F0");
        section.AtLeast("new partitions/s", 5_000, rate, "F0");
        section.AtMost("p99, ms", 1_000, p99, "F1");
    }

    /// <summary>The server's word on whether a commit waits for the disk.</summary>
    private static async Task<string> DurabilityAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        var said = new List<string>();
        foreach (var name in Durability)
        {
            await using var command = source.CreateCommand($"SHOW {name}");
            said.Add($"{name} = {await command.ExecuteScalarAsync(cancellationToken)}");
        }

        return string.Join(", ", said);
    }

    /// <summary>The kind of file system, since a commit to one in memory costs nothing.</summary>
    private static string FileSystemOf(string directory) => DriveInfo.GetDrives()
        .Where(drive => directory.StartsWith(drive.Name, StringComparison.Ordinal))
        .MaxBy(drive => drive.Name.Length)?.DriveFormat ?? "an unknown file system";
}
