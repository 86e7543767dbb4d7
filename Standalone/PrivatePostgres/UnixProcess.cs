using System.Globalization;
using System.Runtime.InteropServices;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>What .NET doesn't offer for processes that are not children: signals, and who a process id belongs to.</summary>
public static partial class UnixProcess
{
    public const int SigInt = 2;
    public const int SigQuit = 3;
    public const int SigKill = 9;
    public const int SigTerm = 15;

    /// <summary>Numbers differ between Linux and macOS for these two.</summary>
    public static readonly int SigCont = OperatingSystem.IsLinux() ? 18 : 19;

    public static readonly int SigStop = OperatingSystem.IsLinux() ? 19 : 17;

    /// <summary>Sends a signal; false if there is no such process or it belongs to another user.</summary>
    public static bool Signal(int processId, int signal)
    {
        // Zero and negative numbers address whole process groups, and -1 everything.
        ArgumentOutOfRangeException.ThrowIfLessThan(processId, 1);
        return Kill(processId, signal) == 0;
    }

    /// <summary>Whether a process runs; one that ended and was not yet reaped by its parent counts as ended.</summary>
    public static bool IsAlive(int processId) =>
        OperatingSystem.IsLinux() ? Stat(processId) is [not "Z" and not "X", ..] : Kill(processId, 0) == 0;

    /// <summary>
    /// A value that no other process with the same id has had since boot: the kernel's start time. Null if the process
    /// is gone, or where there is no <c>/proc</c>.
    /// </summary>
    public static string? StartMark(int processId) => Stat(processId) is { Length: > 19 } stat ? stat[19] : null;

    /// <summary>The command line of a process, or nothing if it is gone, not ours to see, or there is no <c>/proc</c>.</summary>
    public static IReadOnlyList<string> CommandLine(int processId) =>
        Read($"/proc/{processId}/cmdline")?.Split('\0', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>The processes whose working directory is <paramref name="directory"/>; nothing where there is no <c>/proc</c>.</summary>
    internal static IEnumerable<int> WorkingIn(string directory)
    {
        if (!OperatingSystem.IsLinux())
        {
            yield break;
        }

        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                && WorkingDirectory(entry) == directory && IsAlive(id))
            {
                yield return id;
            }
        }
    }

    private static string? WorkingDirectory(string entry)
    {
        try
        {
            return new FileInfo(Path.Combine(entry, "cwd")).LinkTarget;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The fields of <c>/proc/…/stat</c> from the state on; the name before it may hold spaces and brackets.</summary>
    private static string[]? Stat(int processId) =>
        Read($"/proc/{processId}/stat") is { } text ? text[(text.LastIndexOf(')') + 2)..].Split(' ') : null;

    private static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int processId, int signal);
}
