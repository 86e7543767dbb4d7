using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>
/// Free ports at 127.0.0.1, for servers that keep theirs over restarts. They lie below the range that the kernel takes
/// outgoing connections' ports from: in that range some connection could take the port of a server that is down for a moment.
/// </summary>
public static class LoopbackPorts
{
    private const int First = 20_000;
    private const int BeyondLast = 32_000;

    /// <summary>The one default in this range: a silo that is started later would find its port taken.</summary>
    private const int GatewayPortOfASilo = 30_000;

    /// <summary>A port that is free right now, at random so that two who pick at once seldom pick the same.</summary>
    public static int Pick()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(First, BeyondLast);
            if (port != GatewayPortOfASilo && IsFree(port))
            {
                return port;
            }
        }
    }

    public static bool IsFree(int port)
    {
        try
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
            probe.Listen(); // a port in use by a listener may be bound, but not listened at
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
