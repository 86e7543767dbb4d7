using System.Globalization;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Cluster;

/// <summary>Which ports a cluster uses: nginx's, those after it for frontends, and free ones; none twice.</summary>
/// <param name="first">nginx's port; 0 if any free ports will do.</param>
internal sealed class PortPlan(int first)
{
    private readonly HashSet<int> _taken = [];
    private int _frontends;

    /// <exception cref="StartupException">The port is in use.</exception>
    public int Nginx() => first == 0 ? Any() : Take(first);

    /// <exception cref="StartupException">The port is in use.</exception>
    public int NextFrontend() => first == 0 ? Any() : Take(first + ++_frontends);

    public int Any()
    {
        int port;
        do
        {
            port = LoopbackPorts.Pick();
        }
        while (!_taken.Add(port));

        return port;
    }

    private int Take(int port) => LoopbackPorts.IsFree(port) && _taken.Add(port)
        ? port
        : throw new StartupException(string.Create(
            CultureInfo.InvariantCulture, $"Port {port} is in use: choose another first port, or stop what uses it."));
}
