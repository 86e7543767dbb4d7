namespace Marketplace.Hosting.Stopping;

/// <summary>
/// What a process does when it is told to stop while everything in it still runs: SignalR, for one, closes all connections at
/// the moment the host's own stop begins.
/// </summary>
public interface IBeforeStop
{
    /// <summary>
    /// Runs beside the others of its kind, begun before those that were registered before it; the stop begins when all have ended.
    /// </summary>
    /// <param name="hurry">Cancelled when the process is told a second time: nothing is waited for any more.</param>
    Task BeforeStopAsync(CancellationToken hurry);
}
