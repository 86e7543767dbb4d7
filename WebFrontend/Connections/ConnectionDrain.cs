using Marketplace.Hosting.Stopping;
using Marketplace.WebFrontend.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// Empties this frontend when it is told to stop: nobody is admitted any more, clients are asked to leave over a few seconds and
/// those that stay are closed. Then, in the stop proper, it waits until their slots are back, before the lease is released and
/// the link to the silos goes; what is left after a moment is cut off.
/// </summary>
internal sealed class ConnectionDrain(
    IEnumerable<IClientDrain> clients,
    UserSlots slots,
    ConnectionMetrics metrics,
    IOptions<FrontendSettings> settings,
    TimeProvider clock)
    : IBeforeStop, IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan GoodbyeWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan CutWithin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan GiveBackWithin = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _close = new();
    private volatile bool _hasBegun;

    /// <summary>Nobody is admitted any more.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>Cuts off the connections that are left.</summary>
    public CancellationToken Close => _close.Token;

    public Task BeforeStopAsync(CancellationToken hurry)
    {
        _hasBegun = true;
        return Task.WhenAll(clients.Select(hub => hub.RunAsync(settings.Value.DrainWindow, hurry)));
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _hasBegun = true;
        await WaitUntilNoneAsync(GoodbyeWithin, cancellationToken);
        await _close.CancelAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // one that has just gone may throw; all are cut
        await WaitUntilNoneAsync(CutWithin, cancellationToken);
        await slots.DrainAsync(GiveBackWithin);
    }

    public void Dispose() => _close.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task WaitUntilNoneAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        while (metrics.Live > 0 && clock.GetElapsedTime(start) < deadline && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(Look, clock, CancellationToken.None);
        }
    }
}
