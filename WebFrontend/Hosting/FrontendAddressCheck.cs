using System.Net;
using System.Net.Sockets;
using Marketplace.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>
/// Looks before the frontend starts whether it may listen where it should: Kestrel would tell it by a stack trace, unless it is that
/// the port is in use. It doesn't listen itself, so that no client gets a connection that ends at once.
/// </summary>
internal sealed class FrontendAddressCheck(IOptions<FrontendSettings> settings) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        var (address, port) = (settings.Value.ListenAddress, settings.Value.Port);
        try
        {
            using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(address, port));
        }
        catch (SocketException error) when (error.SocketErrorCode != SocketError.AddressAlreadyInUse)
        {
            throw new StartupException(
                $"Frontend:Address is '{address}' and Frontend:Port '{port}', where this frontend can't listen: {error.Message}.");
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
