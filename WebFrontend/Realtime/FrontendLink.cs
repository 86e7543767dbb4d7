using Marketplace.Realtime;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Keeps this process known to the directory, under its current lease, and tells channels whether it listens to them.
/// </summary>
internal sealed partial class FrontendLink(
    IGrainFactory grains,
    IFrontendLease lease,
    ChannelTable channels,
    FrontendObserver observer,
    TimeProvider clock,
    ILogger<FrontendLink> logger) : BackgroundService
{
    private readonly Lock _lock = new();
    private IFrontendObserver? _reference; // Orleans holds the observer weakly; this object holds it by its constructor
    private TaskCompletionSource<FrontendAddress> _announced = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Listens to a channel. Returns once the channel knows, after which nothing published is missed.</summary>
    public Task ListenAsync(LocalChannel channel, CancellationToken cancellationToken) =>
        TryUntilDoneAsync(async () =>
        {
            var address = await AnnouncedAsync(cancellationToken);
            await grains.GetGrain<IChannelGrain>(channel.Name).Listen(address, channel.Change).AsTask()
                .WaitAsync(BackplaneLimits.ListenWithin, clock, cancellationToken); // a call to a silo that dies may be lost
            return address.Epoch == lease.Epoch;
        }, cancellationToken);

    /// <summary>Listens no more. Not repeated: a channel that didn't hear learns it from the answer to its next message.</summary>
    public void Leave(string channel, long change)
    {
        if (lease.Epoch is { } epoch)
        {
            _ = grains.GetGrain<IChannelGrain>(channel).Leave(epoch, change).AsTask()
                .ContinueWith(static task => _ = task.Exception, TaskScheduler.Default);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var epoch = await lease.WaitForEpochAsync(stoppingToken);
                using var held = CancellationTokenSource.CreateLinkedTokenSource(lease.EndOf(epoch), stoppingToken);
                await KeepAnnouncedAsync(epoch, held.Token);
            }
            catch (OperationCanceledException)
            {
                // the lease ended, or the process is stopping
            }

            lock (_lock)
            {
                _announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private async Task KeepAnnouncedAsync(long epoch, CancellationToken cancellationToken)
    {
        var isKnown = false;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var announced = await TryAnnounceAsync(epoch);
            if (announced is not null && !isKnown)
            {
                isKnown = true;
                lock (_lock)
                {
                    _announced.TrySetResult(announced);
                }

                _ = ListenAnewAsync(epoch, cancellationToken);
            }

            await Task.Delay(
                announced is null ? BackplaneLimits.RetryAfter : BackplaneLimits.AnnounceEvery, clock, cancellationToken);
        }
    }

    private async Task<FrontendAddress?> TryAnnounceAsync(long epoch)
    {
        try
        {
            _reference ??= grains.CreateObjectReference<IFrontendObserver>(observer);
            var address = new FrontendAddress(epoch, _reference);
            await grains.GetGrain<IFrontendDirectoryGrain>(0).Announce(address);
            return address;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogNotAnnounced(error, epoch);
            return null;
        }
    }

    /// <summary>What was listened to under an earlier lease is unknown under this one.</summary>
    private async Task ListenAnewAsync(long epoch, CancellationToken cancellationToken)
    {
        try
        {
            await Parallel.ForEachAsync(
                channels.All,
                new ParallelOptions
                {
                    MaxDegreeOfParallelism = BackplaneLimits.ListenCallsMax,
                    CancellationToken = cancellationToken,
                },
                async (channel, token) => await ListenAsync(channel, token));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogNotListening(error, epoch);
        }
    }

    private Task<FrontendAddress> AnnouncedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _announced.Task.WaitAsync(BackplaneLimits.Patience, clock, cancellationToken);
        }
    }

    private async Task TryUntilDoneAsync(Func<Task<bool>> attempt, CancellationToken cancellationToken)
    {
        for (var startedAt = clock.GetTimestamp(); ; await Task.Delay(BackplaneLimits.RetryAfter, clock, cancellationToken))
        {
            try
            {
                if (await attempt())
                {
                    return;
                }
            }
            catch (Exception error) when (ClusterTrouble.IsTransient(error)
                && clock.GetElapsedTime(startedAt) >= BackplaneLimits.Patience)
            {
                throw new UnavailableException("The cluster could not be told what this frontend listens to.", error);
            }
            catch (Exception error) when (ClusterTrouble.IsTransient(error))
            {
                // tried again
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Frontend {Epoch} could not announce itself; trying again")]
    private partial void LogNotAnnounced(Exception error, long epoch);

    [LoggerMessage(LogLevel.Error, "Frontend {Epoch} could not listen again to everything it listened to")]
    private partial void LogNotListening(Exception error, long epoch);
}
