using System.Collections.Concurrent;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Testing;

/// <summary>
/// Ports for servers that are started a while after theirs was picked: none that an outgoing connection may take meanwhile, and
/// none twice in this process.
/// </summary>
public static class TestPorts
{
    private static readonly ConcurrentDictionary<int, bool> Taken = new();

    public static int Pick()
    {
        int port;
        do
        {
            port = LoopbackPorts.Pick();
        }
        while (!Taken.TryAdd(port, true));

        return port;
    }
}
