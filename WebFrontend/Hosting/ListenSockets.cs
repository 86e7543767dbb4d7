using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// The sockets that this frontend listens on. A connection that the kernel has taken for one of them, and the server has not, is
/// reset when it is closed; if a POST is on its way by it, a proxy can't know whether it was carried out and mustn't repeat it. So
/// before the end no more may come, and those that have come are served.
/// </summary>
internal sealed class ListenSockets(TimeProvider clock) : IHostedLifecycleService
{
    /// <summary>Several times what the server needs to accept a connection, and its peer to finish a handshake and send a request.</summary>
    private static readonly TimeSpan AcceptWithin = TimeSpan.FromMilliseconds(100);

    /// <summary>A segment with SYN in its flags, the byte 13 of a TCP header, is dropped, and any other kept.</summary>
    private static readonly FilterStep[] DropsBeginnings =
    [
        new(0x30, 0, 0, 13), // load the byte
        new(0x45, 0, 1, 2), // skip one step unless it has the bit
        new(0x06, 0, 0, 0), // drop
        new(0x06, 0, 0, uint.MaxValue), // keep
    ];

    private readonly ConcurrentBag<Socket> _sockets = [];

    /// <summary>Makes a socket as the server would, and remembers it.</summary>
    public Socket Create(EndPoint endpoint)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        _sockets.Add(socket);
        return socket;
    }

    /// <summary>
    /// Lets nobody begin to connect any more; handshakes that have begun are finished. Who tries meanwhile gets no answer, tries again
    /// after a second, as TCP does, and is refused, since the socket is closed by then: a proxy takes another frontend.
    /// </summary>
    /// <remarks>Stopping goes backwards: as the first that was registered it is the last before the server stops.</remarks>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        foreach (var socket in _sockets)
        {
            DropBeginnings(socket);
        }

        await Task.Delay(AcceptWithin, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The kernel asks a filter about each segment that comes to the socket: SO_ATTACH_FILTER in socket(7).</summary>
    private static void DropBeginnings(Socket socket)
    {
        const int SolSocket = 1;
        const int SoAttachFilter = 26;
        var steps = GCHandle.Alloc(DropsBeginnings, GCHandleType.Pinned);
        try
        {
            Span<byte> program = stackalloc byte[2 * IntPtr.Size]; // struct sock_fprog: a length and an address
            program.Clear();
            MemoryMarshal.Write(program, (ushort)DropsBeginnings.Length);
            MemoryMarshal.Write(program[IntPtr.Size..], steps.AddrOfPinnedObject());
            socket.SetRawSocketOption(SolSocket, SoAttachFilter, program);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // It is closed already, or the kernel takes no filters: what is left is the chance that this class is about.
        }
        finally
        {
            steps.Free();
        }
    }

    /// <summary>struct sock_filter.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct FilterStep(ushort Code, byte IfTrue, byte IfFalse, uint Operand);
}
