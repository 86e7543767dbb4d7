using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebFrontend.Tests.Live;

/// <summary>Stands between clients and a server, and cuts all connections when told to, without a word to either end.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, TcpClient> _pairs = new();
    private readonly int _port;
    private readonly Task _accepting;

    public CuttingProxy(Uri server)
    {
        _port = server.Port;
        _listener.Start();
        Address = new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Address { get; }

    public int Cuts { get; private set; }

    public void Cut()
    {
        foreach (var (client, server) in _pairs)
        {
            Cuts++;
            Close(client);
            Close(server);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        Cut();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        var server = new TcpClient();
        _pairs[client] = server;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _port);
            var (near, far) = (client.GetStream(), server.GetStream());
            await Task.WhenAny(near.CopyToAsync(far), far.CopyToAsync(near));
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut.
        }

        _pairs.TryRemove(client, out _);
        Close(client);
        Close(server);
    }

    /// <summary>With a reset, and what was on its way is lost.</summary>
    private static void Close(TcpClient client)
    {
        client.LingerState = new(enable: true, seconds: 0);
        client.Dispose();
    }
}
