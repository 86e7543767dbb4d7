using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load;

/// <summary>One run of wrk, the load generator.</summary>
internal static partial class Wrk
{
    /// <summary>Every connection goes through the addresses in turn, from a place of its own.</summary>
    private const string Script = """
        local addresses = tonumber(os.getenv("ADDRESSES"))
        local next_address = math.random(addresses)
        request = function()
          next_address = next_address % addresses + 1
          local a = next_address
          wrk.headers["X-Forwarded-For"] = string.format("10.%d.%d.%d", a / 65536, a / 256 % 256, a % 256)
          return wrk.format("GET")
        end
        """;

    public static async Task<Measurement> RunAsync(Uri target, BenchmarkOptions options)
    {
        var script = Path.Combine(Path.GetTempPath(), $"marketplace-wrk-{Environment.ProcessId}.lua");
        await File.WriteAllTextAsync(script, Script);
        try
        {
            var start = new ProcessStartInfo("wrk",
                ["--threads", "2", "--connections", Text(options.Connections), "--duration", $"{Text(options.Seconds)}s",
                    "--latency", "--script", script, target.ToString()])
            {
                RedirectStandardOutput = true,
                Environment = { ["ADDRESSES"] = Text(options.Addresses) },
            };
            using var wrk = Process.Start(start) ?? throw new StartupException("wrk did not start.");
            var output = await wrk.StandardOutput.ReadToEndAsync();
            await wrk.WaitForExitAsync();
            return Measurement.Parse(output);
        }
        finally
        {
            File.Delete(script);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What wrk saw.</summary>
    /// <param name="RequestsPerSecond">Answers per second, whatever they were.</param>
    /// <param name="P99Milliseconds">99 % of the answers came within this time.</param>
    /// <param name="Refused">Answers other than 2xx and 3xx, and connections that broke.</param>
    internal sealed partial record Measurement(double RequestsPerSecond, double P99Milliseconds, long Refused)
    {
        public static Measurement Parse(string output)
        {
            var rate = Rate().Match(output);
            var p99 = P99().Match(output);
            if (!rate.Success || !p99.Success)
            {
                throw new StartupException($"wrk measured nothing: {output}");
            }

            var unit = p99.Groups["unit"].Value switch { "us" => 0.001, "ms" => 1, "s" => 1000, _ => 60_000 };
            var errors = Errors().Match(output) is { Success: true } broken
                ? broken.Groups["n"].Captures.Sum(capture => Number(capture.Value)) : 0;
            var refused = Refusals().Match(output) is { Success: true } other ? Number(other.Groups["n"].Value) : 0;
            return new(Number(rate.Groups["n"].Value), Number(p99.Groups["n"].Value) * unit, (long)(errors + refused));
        }

        private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

        [GeneratedRegex(@"Requests/sec:\s+(?<n>[\d.]+)")]
        private static partial Regex Rate();

        [GeneratedRegex(@"99%\s+(?<n>[\d.]+)(?<unit>us|ms|s|m)")]
        private static partial Regex P99();

        [GeneratedRegex(@"Non-2xx or 3xx responses: (?<n>\d+)")]
        private static partial Regex Refusals();

        [GeneratedRegex(@"Socket errors:(?:[^\d]+(?<n>\d+))+")]
        private static partial Regex Errors();
    }
}
