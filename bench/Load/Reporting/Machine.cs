using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Marketplace.Bench.Load.Reporting;

/// <summary>What the figures were taken on.</summary>
internal static class Machine
{
    /// <summary>One line: processor, memory, system, runtime, our version, and how busy the machine was with other things.</summary>
    public static string Describe()
    {
        var version = typeof(Machine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        return string.Create(CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} cores ({Processor()}), {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GB, "
            + $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}, version {version}; load before: {Load()}");
    }

    private static string Processor() => Line("/proc/cpuinfo", "model name")?.Split(':', 2)[1].Trim()
        ?? RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>Processes that wanted a processor in the last minute, on average; more than about 0.5 spoils the figures.</summary>
    private static string Load() => Line("/proc/loadavg", "")?.Split(' ')[0] ?? "unknown";

    private static string? Line(string file, string start) => File.Exists(file)
        ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(start, StringComparison.Ordinal))
        : null;
}
