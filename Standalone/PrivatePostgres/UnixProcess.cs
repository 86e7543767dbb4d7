using System.Globalization;
using System.Runtime.InteropServices;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>What .NET doesn't offer for processes that are not children: signals, and who a process id belongs to.</summary>
public static class UnixProcess
{
    public const int SigHup = 1;
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

    /// <summary>Sends a signal to all of a process group, which may outlive the process that it is named after.</summary>
    public static bool SignalGroup(int processId, int signal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(processId, 2);
        return Kill(-processId, signal) == 0;
    }

    /// <summary>Whether a process runs; one that ended and was not yet reaped by its parent counts as ended.</summary>
    public static bool IsAlive(int processId) =>
        OperatingSystem.IsLinux() ? Stat(processId) is [not "Z" and not "X", ..] : Kill(processId, 0) == 0;

    /// <summary>
    /// A value that no other process with the same id has had since boot: the kernel's start time. Null if the process
    /// is gone, or where there is no <c>/proc</c>.
    /// </summary>
    public static string? StartMark(int processId) => Stat(processId) is { Length: > 19 } stat ? stat[19] : null;

    /// <summary>Whether any process of a group runs; false where there is no <c>/proc</c>.</summary>
    public static bool IsGroupAlive(int processId)
    {
        var group = processId.ToString(CultureInfo.InvariantCulture);
        return All().Any(id => Stat(id) is [not "Z" and not "X", _, var of, ..] && of == group);
    }

    /// <summary>The processes whose working directory is <paramref name="directory"/>; nothing where there is no <c>/proc</c>.</summary>
    internal static IEnumerable<int> WorkingIn(string directory)
    {
        var real = RealPath(Path.GetFullPath(directory));
        return All().Where(id => WorkingDirectory(id) == real && IsAlive(id));
    }

    /// <summary>Without symbolic links, as the kernel names a working directory.</summary>
    private static string RealPath(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent)
        {
            return path; // the root
        }

        var real = RealPath(parent);
        var here = Path.Combine(real, Path.GetFileName(path));
        return new DirectoryInfo(here).LinkTarget is { } target ? RealPath(Path.GetFullPath(target, real)) : here;
    }

    private static IEnumerable<int> All() => OperatingSystem.IsLinux()
        ? Directory.EnumerateDirectories("/proc")
            .Select(entry => int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id != 0)
        : [];

    private static string? WorkingDirectory(int processId)
    {
        try
        {
            return new FileInfo($"/proc/{processId}/cwd").LinkTarget;
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
