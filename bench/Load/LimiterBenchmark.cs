using System.Globalization;
using System.Text;
using Marketplace.Cluster;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load;

/// <summary>
/// Two clusters of PostgreSQL, one silo and one frontend as processes, one with the limiter on and one with it off, measured
/// in turn while the other idles. The limit is too high to be reached, so that both answer the same.
/// </summary>
internal static class LimiterBenchmark
{
    private const string Limit = "1000000000";

    public static async Task RunAsync(BenchmarkOptions options)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"marketplace-bench-{Environment.ProcessId}");
        try
        {
            Console.WriteLine("Starting two clusters of one silo and one frontend each …");
            await using var limited = await StartAsync(directory, "limited", enabled: true);
            await using var unlimited = await StartAsync(directory, "unlimited", enabled: false);
            var on = new List<Wrk.Measurement>();
            var off = new List<Wrk.Measurement>();

            Console.WriteLine("Warming both up …");
            await MeasureAsync(limited, options);
            await MeasureAsync(unlimited, options);
            for (var round = 1; round <= options.Rounds; round++)
            {
                on.Add(await MeasureAsync(limited, options));
                off.Add(await MeasureAsync(unlimited, options));
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"round {round} of {options.Rounds}: limited {on[^1].RequestsPerSecond:F0}/s, unlimited {off[^1].RequestsPerSecond:F0}/s"));
            }

            var report = Report(options, on, off);
            Console.WriteLine(report);
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(options.Results))!);
            await File.WriteAllTextAsync(options.Results, report);
            Console.WriteLine($"Written to {options.Results}");
        }
        finally
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private static Task<LocalCluster> StartAsync(string directory, string name, bool enabled) => LocalCluster.StartAsync(
        new LocalClusterOptions
        {
            Directory = Path.Combine(directory, name),
            Silos = 1,
            Frontends = 1,
            WithNginx = false,
            Settings = new Dictionary<string, string>
            {
                ["Limits__Enabled"] = enabled ? "true" : "false",
                ["Limits__Policies__general__Limit"] = Limit,
            },
        },
        TextWriter.Null);

    private static async Task<Wrk.Measurement> MeasureAsync(LocalCluster cluster, BenchmarkOptions options)
    {
        var measurement = await Wrk.RunAsync(new Uri(cluster.Frontends[0].Address, "/api/v1/ping"), options);
        return measurement.Refused == 0
            ? measurement
            : throw new StartupException($"{measurement.Refused} requests were not answered with 200: the measurement is void.");
    }

    private static string Report(BenchmarkOptions options, List<Wrk.Measurement> on, List<Wrk.Measurement> off)
    {
        var limited = Median(on.Select(m => m.RequestsPerSecond));
        var unlimited = Median(off.Select(m => m.RequestsPerSecond));
        var limitedP99 = Median(on.Select(m => m.P99Milliseconds));
        var unlimitedP99 = Median(off.Select(m => m.P99Milliseconds));
        var text = new StringBuilder();
        text.AppendLine("# What the limiter costs");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"`GET /api/v1/ping` through one frontend and one silo as processes of their own, {options.Addresses} client addresses in turn,");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"wrk with {options.Connections} connections for {options.Seconds} s on the same {Environment.ProcessorCount} cores. Limiter on and off in turn,");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"medians of {options.Rounds} rounds after one for warming up. Read the ratio: machines differ. Repeat it with `make bench`.");
        text.AppendLine();
        text.AppendLine("| | limiter on | limiter off | ratio on / off |");
        text.AppendLine("|---|---:|---:|---:|");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"| requests/s | {limited:F0} | {unlimited:F0} | {limited / unlimited:F2} |");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"| p99, ms | {limitedP99:F2} | {unlimitedP99:F2} | {limitedP99 / unlimitedP99:F2} |");
        return text.ToString();
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
