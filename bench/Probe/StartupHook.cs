using System.Globalization;
using System.Net.Sockets;
using System.Text;

#pragma warning disable CA1050 // the runtime looks for a type of this name outside all namespaces
/// <summary>
/// Loaded into processes under measurement by <c>DOTNET_STARTUP_HOOKS</c>, ours and peers alike: collects all garbage when asked
/// and says how many bytes of managed heap are left. It listens on a socket of the file system, named after the process id.
/// </summary>
internal static class StartupHook
{
    /// <summary>The variable that names the sockets' directory.</summary>
    public const string DirectoryVariable = "BENCH_PROBE_DIRECTORY";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } directory)
        {
            new Thread(() => Answer(PathOf(directory, Environment.ProcessId))) { IsBackground = true, Name = "probe" }.Start();
        }
    }

    public static string PathOf(string directory, int processId) =>
        Path.Combine(directory, $"{processId.ToString(CultureInfo.InvariantCulture)}.sock");

    private static void Answer(string path)
    {
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        while (true)
        {
            using var caller = listener.Accept();
            for (var i = 0; i < 2; i++)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
                GC.WaitForPendingFinalizers();
            }

            caller.Send(Encoding.ASCII.GetBytes(GC.GetTotalMemory(forceFullCollection: true).ToString(CultureInfo.InvariantCulture)));
        }
    }
}
