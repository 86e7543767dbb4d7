using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>Asks a .NET process how much of its managed heap is alive: see <c>bench/Probe</c>, which answers inside of it.</summary>
internal static class HeapProbe
{
    private static readonly string Hook = Path.Combine(AppContext.BaseDirectory, "Marketplace.Bench.Probe.dll");

    /// <summary>What a process has to be started with.</summary>
    public static IReadOnlyDictionary<string, string> Settings(string directory) => new Dictionary<string, string>
    {
        ["DOTNET_STARTUP_HOOKS"] = Hook,
        [StartupHook.DirectoryVariable] = directory,
    };

    /// <summary>Bytes that are left after all garbage was collected, there and now.</summary>
    public static async Task<long> LiveBytesAsync(string directory, int processId, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(StartupHook.PathOf(directory, processId)), cancellationToken);
        var answer = new byte[32];
        var length = await socket.ReceiveAsync(answer, cancellationToken);
        return length > 0
            ? long.Parse(Encoding.ASCII.GetString(answer, 0, length), CultureInfo.InvariantCulture)
            : throw new StartupException($"Process {processId} does not say how large its heap is.");
    }
}
