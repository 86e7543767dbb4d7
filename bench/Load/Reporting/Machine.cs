using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Marketplace.Bench.Load.Reporting;

/// <summary>What the figures were taken on.</summary>
internal static class Machine
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(3);

    /// <summary>One line: processor, memory, system, runtime, our version, and how busy the machine is with other things.</summary>
    public static async Task<string> DescribeAsync(CancellationToken cancellationToken)
    {
        var (busyBefore, allBefore) = Ticks();
        await Task.Delay(Watched, TimeProvider.System, cancellationToken);
        var (busy, all) = Ticks();
        var share = all > allBefore ? $"{100 * (busy - busyBefore) / (all - allBefore)} %" : "an unknown share";
        var version = typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        return string.Create(CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores ({Processor()}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GB, "
            + $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}, version {version}; {share} of the processor was busy with other things beforehand");
    }

    private static string Processor() => Line("/proc/cpuinfo", "model name")?.Split(':', 2)[1].Trim()
        ?? RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>The processor's time since boot, in ticks: what it did, and all of it. Waiting for the disk is idle time.</summary>
    private static (long Busy, long All) Ticks()
    {
        var ticks = Line("/proc/stat", "cpu ")?.Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(text => long.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        return ticks is [_, _, _, var idle, var waiting, ..] ? (ticks.Sum() - idle - waiting, ticks.Sum()) : default;
    }

    private static string? Line(string file, string start) => File.Exists(file)
        ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(start, StringComparison.Ordinal))
        : null;
}
