using System.Runtime.InteropServices;

namespace Marketplace.Hosting.Stopping;

/// <summary>
/// Takes SIGTERM, SIGINT (Ctrl-C), SIGQUIT and SIGHUP (the terminal was closed) for as long as the process has something to stop,
/// from before its host exists until all around it has been stopped: the runtime would end the process at once.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _told = new();
    private readonly CancellationTokenSource _toldAgain = new();
    private readonly List<PosixSignalRegistration> _registrations;
    private int _count;

    public StopSignals() => _registrations =
    [
        .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGHUP }
            .Select(signal => PosixSignalRegistration.Create(signal, OnSignal)),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Told => _told.Token;

    /// <summary>Cancelled by the second.</summary>
    public CancellationToken ToldAgain => _toldAgain.Token;

    public void Dispose()
    {
        _registrations.ForEach(registration => registration.Dispose());
        _told.Dispose();
        _toldAgain.Dispose();
    }

    private void OnSignal(PosixSignalContext signal)
    {
        signal.Cancel = true; // else the runtime would end the process
        switch (Interlocked.Increment(ref _count))
        {
            case 1:
                _ = _told.CancelAsync();
                break;
            case 2:
                _ = _toldAgain.CancelAsync();
                break;
        }
    }
}
