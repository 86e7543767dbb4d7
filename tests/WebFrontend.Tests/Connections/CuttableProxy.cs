using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebFrontend.Tests.Connections;

/// <summary>Passes bytes on to a server until it cuts what is open; new connections get through.</summary>
internal sealed class CuttableProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private ConcurrentBag<(TcpClient Client, TcpClient Server)> _open = [];
    private readonly Uri _target;
    private readonly Task _accepting;

    public CuttableProxy(Uri target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public void Cut()
    {
        // Those that are open now: who is cut comes back at once, and a second cut would be one of a connection that is being made.
        foreach (var (client, server) in Interlocked.Exchange(ref _open, []))
        {
            Break(client);
            Break(server);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        Cut();
        await _accepting;
    }

    private static void Break(TcpClient end)
    {
        end.Client.LingerState = new(enable: true, seconds: 0); // as a network does that goes away: no goodbye
        end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                var server = new TcpClient();
                await server.ConnectAsync(_target.Host, _target.Port);
                _open.Add((client, server));
                _ = PumpAsync(client, server);
                _ = PumpAsync(server, client);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // disposed
        }
    }

    private static async Task PumpAsync(TcpClient from, TcpClient to)
    {
        try
        {
            await from.GetStream().CopyToAsync(to.GetStream());
            to.Client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // cut
        }
    }
}
