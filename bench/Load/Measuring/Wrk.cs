using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>What wrk saw in one run.</summary>
/// <param name="Requests">Answers, whatever they were.</param>
/// <param name="Seconds">How long the run took.</param>
/// <param name="P99Milliseconds">99 % of the answers came within this time.</param>
/// <param name="Broken">Connections that broke, and answers that took more than two seconds.</param>
/// <param name="Refused">Answers with status 400 or above.</param>
internal sealed record Measurement(long Requests, double Seconds, double P99Milliseconds, long Broken, long Refused)
{
    public double RequestsPerSecond => Requests / Seconds;
}

/// <summary>Runs wrk, the load generator: as many requests as fit, each connection waiting for its answer.</summary>
internal static class Wrk
{
    /// <summary>The number of wrk.lua's first client, 10.1.0.0, for <see cref="PingConnection"/>.</summary>
    public const int FirstClient = 1 << 16;

    private const string Mark = "measured ";
    private static readonly string Threads = Text(Math.Min(2, Environment.ProcessorCount));

    public static async Task<Measurement> RunAsync(
        Uri target, int connections, int seconds, int addresses, string directory, CancellationToken cancellationToken)
    {
        var script = Path.Combine(directory, "wrk.lua");
        await using (var source = typeof(Wrk).Assembly.GetManifestResourceStream("wrk.lua")!)
        await using (var file = File.Create(script))
        {
            await source.CopyToAsync(file, cancellationToken);
        }

        var start = new ProcessStartInfo("wrk",
            ["--threads", Threads, "--connections", Text(connections), "--duration", $"{Text(seconds)}s", "--script", script, target.ToString()])
        {
            RedirectStandardOutput = true,
            Environment = { ["ADDRESSES"] = Text(addresses), ["THREADS"] = Threads },
        };
        using var wrk = Start(start);
        try
        {
            var output = await wrk.StandardOutput.ReadToEndAsync(cancellationToken);
            await wrk.WaitForExitAsync(cancellationToken);
            return Parse(output);
        }
        catch (OperationCanceledException)
        {
            wrk.Kill();
            throw;
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            throw new StartupException("wrk is not installed: 'apt-get install wrk'.");
        }
    }

    private static Measurement Parse(string output)
    {
        var line = output.Split('\n').FirstOrDefault(line => line.StartsWith(Mark, StringComparison.Ordinal))
            ?? throw new StartupException($"wrk measured nothing: {output}");
        var numbers = line[Mark.Length..].Split(' ').Select(text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        return new(numbers[0], numbers[1] / 1e6, numbers[2] / 1e3, numbers[3], numbers[4]);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
