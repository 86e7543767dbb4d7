using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WebFrontend.Tests;

/// <summary>Stands between clients and a server, and cuts what is open when told to; new connections get through.</summary>
internal sealed class CuttableProxy : IAsyncDisposable
{
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentDictionary<Link, Task> _links = new();
    private readonly Uri _server;
    private readonly Task _accepting;

    public CuttableProxy(Uri server)
    {
        _server = server;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Address = new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndPoint!).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Address { get; }

    /// <summary>Connections cut so far.</summary>
    public int Cuts { get; private set; }

    /// <summary>Cuts those that are open now: who is cut comes back at once, and isn't cut again.</summary>
    public void Cut() => Cuts += _links.Keys.Count(link => link.Break());

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        Cut();
        await Task.WhenAll(_links.Values);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var link = new Link(await _listener.AcceptAsync());
                _links[link] = link.CarryAsync(_server);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private sealed class Link(Socket client)
    {
        private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp);
        private int _over;

        public async Task CarryAsync(Uri server)
        {
            try
            {
                await _server.ConnectAsync(server.Host, server.Port);
                await Task.WhenAll(PassOnAsync(client, _server), PassOnAsync(_server, client));
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // No server there, or cut before it answered.
            }

            Break();
        }

        /// <summary>With a reset, as a network does that goes away: no goodbye, and what was on its way is lost.</summary>
        /// <returns>Whether it was open still.</returns>
        public bool Break()
        {
            if (Interlocked.Exchange(ref _over, 1) != 0)
            {
                return false;
            }

            client.Close(timeout: 0);
            _server.Close(timeout: 0);
            return true;
        }

        private async Task PassOnAsync(Socket from, Socket to)
        {
            try
            {
                await new NetworkStream(from).CopyToAsync(new NetworkStream(to));
                to.Shutdown(SocketShutdown.Send);
            }
            catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException)
            {
                Break(); // Cut at one end: at the other, too.
            }
        }
    }
}
