using System.Net;
using System.Net.Sockets;
using Marketplace.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.Silo.Hosting;

/// <summary>
/// Looks before the silo starts whether its ports are free: Orleans would tell it by stack traces that name neither port nor
/// setting.
/// </summary>
internal sealed class SiloPortsCheck(IOptions<SiloSettings> settings) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        Check(nameof(SiloSettings.SiloPort), settings.Value.SiloPort);
        Check(nameof(SiloSettings.GatewayPort), settings.Value.GatewayPort);
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Check(string setting, int port)
    {
        var address = settings.Value.Address;
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address, port));
            probe.Listen();
        }
        catch (SocketException error)
        {
            throw new StartupException(
                $"{SiloSettings.Section}:{setting} is '{port}', where this silo can't listen at {address}: {error.Message}.");
        }
    }
}
