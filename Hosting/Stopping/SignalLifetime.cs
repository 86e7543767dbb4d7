using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Marketplace.Hosting.Stopping;

/// <summary>
/// Stops the process when a signal asks for it (<see cref="StopSignals"/>): first whatever has to be done before
/// (<see cref="IBeforeStop"/>), then the host. A second signal skips what is still waited for. Whoever sent the signal expects the
/// process to be gone in 30 s, so all of it has one deadline that counts from the first.
/// </summary>
internal sealed partial class SignalLifetime(
    StopSignals signals,
    IEnumerable<IBeforeStop> before,
    IHostApplicationLifetime application,
    IOptions<HostOptions> host,
    ILogger<SignalLifetime> logger) : IHostLifetime
{
    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(29);
    private static readonly TimeSpan HurriedStopWithin = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestStop = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _clock = TimeProvider.System;
    private int _isLeaving;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        application.ApplicationStopping.Register(() => LeaveAtTheLatest(StopWithin)); // by whatever it is stopped
        signals.Told.Register(() =>
        {
            LeaveAtTheLatest(StopWithin);
            _ = Task.Run(StopAsync);
        });
        signals.ToldAgain.Register(() =>
        {
            LogHurried();
            _ = LeaveAsync(HurriedStopWithin);
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task StopAsync()
    {
        var startedAt = _clock.GetTimestamp();
        if (application.ApplicationStarted.IsCancellationRequested)
        {
            await Task.WhenAll(before.Reverse().Select(PrepareAsync));
        }

        var left = host.Value.ShutdownTimeout - _clock.GetElapsedTime(startedAt);
        left = signals.ToldAgain.IsCancellationRequested && left > HurriedStopWithin ? HurriedStopWithin - ShortestStop : left;
        host.Value.ShutdownTimeout = left > ShortestStop ? left : ShortestStop;
        application.StopApplication();
    }

    private async Task PrepareAsync(IBeforeStop step)
    {
        try
        {
            await step.BeforeStopAsync(signals.ToldAgain);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogNotPrepared(error, step.GetType().Name);
        }
    }

    private void LeaveAtTheLatest(TimeSpan within)
    {
        if (Interlocked.Exchange(ref _isLeaving, 1) == 0)
        {
            _ = LeaveAsync(within);
        }
    }

    /// <summary>
    /// A silo that stops while PostgreSQL is away tries for a minute to say so in the membership table, whatever its host's
    /// time-out is.
    /// </summary>
    private async Task LeaveAsync(TimeSpan within)
    {
        await Task.Delay(within, _clock);
        await Console.Error.WriteLineAsync($"The process did not stop within {within.TotalSeconds} s; it ends now.");
        Environment.Exit(MarketplaceProcess.ExitCodeOfPassingTrouble);
    }

    [LoggerMessage(LogLevel.Warning, "Told to stop a second time: nothing is waited for any more")]
    private partial void LogHurried();

    [LoggerMessage(LogLevel.Error, "{Step} failed; stopping without it")]
    private partial void LogNotPrepared(Exception error, string step);
}
