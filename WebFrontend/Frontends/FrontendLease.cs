using Marketplace.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Frontends;

/// <summary>
/// Keeps this process's lease: registers, renews, and registers anew when it was lost. The rules by which a lease is safe
/// to rely upon are told in FrontendLeasesGrain; this side's share of them is <see cref="HeldLease"/> and that the term
/// counts from the moment the call was sent.
/// </summary>
internal sealed partial class FrontendLease(
    IGrainFactory grains,
    IOptions<FrontendLeaseSettings> settings,
    IOptions<FrontendSettings> frontend,
    TimeProvider clock,
    ILogger<FrontendLease> logger) : BackgroundService, IFrontendLease, IHostedLifecycleService
{
    private static readonly TimeSpan ReleaseWithin = TimeSpan.FromSeconds(2);
    private static readonly CancellationToken AlreadyEnded = new(canceled: true);

    private readonly CancellationTokenSource _stopping = new();
    private volatile HeldLease? _lease;
    private volatile TaskCompletionSource<long> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isTroubled;

    public long? Epoch => _lease is { } lease && lease.Runs ? lease.Epoch : null;

    public CancellationToken EndOf(long epoch) =>
        _lease is { } lease && lease.Epoch == epoch && lease.Runs ? lease.EndToken : AlreadyEnded;

    public async ValueTask<long> WaitForEpochAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var next = _next; // before the look, so that a lease that starts in between isn't missed
            if (Epoch is { } epoch)
            {
                return epoch;
            }

            await next.Task.WaitAsync(cancellationToken);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, _stopping.Token);
        using var rhythm = new PeriodicTimer(settings.Value.RenewEvery, clock);
        try
        {
            do
            {
                await TryKeepAsync(stop.Token);
            }
            while (await rhythm.WaitForNextTickAsync(stop.Token));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The lease itself ends in StoppingAsync, or by time.
        }
    }

    private async Task TryKeepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await KeepAsync(cancellationToken);
            if (_isTroubled)
            {
                _isTroubled = false;
                LogReachable();
            }
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it is, from no silo at all to a full table: there is nothing to do but to try again.
            if (!_isTroubled)
            {
                _isTroubled = true;
                LogUnreachable(error.Message);
            }
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        var leases = grains.GetGrain<IFrontendLeasesGrain>(0);
        if (_lease is { } lease)
        {
            if (lease.Runs)
            {
                var sentAt = clock.GetTimestamp();
                var renewed = await leases.Renew(lease.Epoch).AsTask().WaitAsync(settings.Value.CallDeadline, clock, cancellationToken);
                if (renewed is not null && lease.Extend(EndOf(sentAt, renewed.Term)))
                {
                    return;
                }
            }

            LogLost(lease.Epoch);
            _lease = null;
            lease.Dispose();

            // Messages pass while there is a lease, whichever it is. So there is none before every connection of the last one is
            // cut: what it would still carry would be for slots that somebody else may have by now.
            await lease.Cut.WaitAsync(cancellationToken);
        }

        await RegisterAsync(leases, cancellationToken);
    }

    private async Task RegisterAsync(IFrontendLeasesGrain leases, CancellationToken cancellationToken)
    {
        var sentAt = clock.GetTimestamp();
        var granted = await leases.Register(new(frontend.NameOf())).AsTask()
            .WaitAsync(settings.Value.CallDeadline, clock, cancellationToken);
        _lease = new HeldLease(granted.Epoch, EndOf(sentAt, granted.Term), clock);
        LogHeld(granted.Epoch);

        // After the lease: who looked before it was there waits for this one, who finds the next one sees the lease.
        var next = _next;
        _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
        next.SetResult(granted.Epoch);
    }

    private long EndOf(long sentAt, TimeSpan term) =>
        sentAt + (long)((term - settings.Value.Margin).TotalSeconds * clock.TimestampFrequency);

    /// <summary>
    /// Before anything stops, the link to the silos above all. What is held under the lease has to be gone by now: its owners
    /// register after the lease, so that their own stopping comes first.
    /// </summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await (ExecuteTask ?? Task.CompletedTask).WaitAsync(cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the lease is given back whatever became of a renewal
        if (_lease is not { } lease)
        {
            return;
        }

        _lease = null;
        lease.Dispose();
        try
        {
            await grains.GetGrain<IFrontendLeasesGrain>(0).Release(lease.Epoch).AsTask()
                .WaitAsync(ReleaseWithin, clock, cancellationToken);
        }
        catch (Exception error)
        {
            LogNotReleased(lease.Epoch, error.Message);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Dispose()
    {
        _lease?.Dispose();
        _stopping.Dispose();
        base.Dispose();
    }

    [LoggerMessage(LogLevel.Information, "This frontend has lease {Epoch}")]
    private partial void LogHeld(long epoch);

    [LoggerMessage(LogLevel.Warning, "Lease {Epoch} is lost: what was held under it is closed")]
    private partial void LogLost(long epoch);

    [LoggerMessage(LogLevel.Warning, "The frontend's lease can't be kept up at the moment; trying on. {Reason}")]
    private partial void LogUnreachable(string reason);

    [LoggerMessage(LogLevel.Information, "The frontend's lease is kept up again")]
    private partial void LogReachable();

    [LoggerMessage(LogLevel.Warning, "Lease {Epoch} could not be released and runs out by itself. {Reason}")]
    private partial void LogNotReleased(long epoch, string reason);
}
