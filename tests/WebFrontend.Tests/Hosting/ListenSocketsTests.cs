using System.Net;
using System.Net.Sockets;
using Marketplace.WebFrontend.Hosting;

namespace WebFrontend.Tests.Hosting;

public sealed class ListenSocketsTests
{
    /// <summary>Several times what a connection over loopback takes, and less than the second after which TCP tries again.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task Before_the_end_who_has_connected_is_served_and_who_comes_later_is_not_taken_but_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The filter is Linux's.");
        var token = TestContext.Current.CancellationToken;
        var sockets = new ListenSockets(TimeProvider.System);
        using var listening = sockets.Create(new IPEndPoint(IPAddress.Loopback, 0));
        listening.Listen();
        using var early = await ConnectAsync(listening);

        await sockets.StoppingAsync(token);

        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var connecting = late.ConnectAsync(listening.LocalEndPoint!, token).AsTask();
        await early.SendAsync("early"u8.ToArray(), token);
        using var accepted = await listening.AcceptAsync(token);
        var received = new byte[16];
        Assert.Equal(5, await accepted.ReceiveAsync(received, token));
        await Assert.ThrowsAsync<TimeoutException>(() => connecting.WaitAsync(Soon, TimeProvider.System, token));

        listening.Dispose();
        var error = await Assert.ThrowsAsync<SocketException>(() => connecting);
        Assert.Equal(SocketError.ConnectionRefused, error.SocketErrorCode);
        Assert.Equal(5, await accepted.SendAsync("after"u8.ToArray(), token)); // what was taken goes on
    }

    private static async Task<Socket> ConnectAsync(Socket listening)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listening.LocalEndPoint!, TestContext.Current.CancellationToken);
        return client;
    }
}
