using System.Collections.Concurrent;
using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Realtime.Presence;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Realtime.Presence;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Keeps this process known to the directory, under its current lease, and tells channels whether it listens to them.
/// </summary>
internal sealed partial class FrontendLink(
    IGrainFactory grains,
    IFrontendLease lease,
    ChannelTable channels,
    LocalPlaces places,
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
            await ListenOnceAsync(channel, address).WaitAsync(BackplaneLimits.CallWithin, clock, cancellationToken);
            channel.ListensUnder = address.Epoch;
            return address.Epoch == lease.Epoch;
        }, cancellationToken);

    private async Task ListenOnceAsync(LocalChannel channel, FrontendAddress address)
    {
        if (channel.History is { } history)
        {
            history.Begin(await grains.GetGrain<IHistoryGrain>(channel.Name).Listen(address, channel.Change, history.Known));
        }
        else
        {
            await grains.GetGrain<IChannelGrain>(channel.Name).Listen(address, channel.Change);
        }
    }

    /// <summary>Reads what came in a channel with history after a position.</summary>
    public async Task<HistoryPage> ReadAsync(LocalChannel channel, HistoryPosition after, CancellationToken cancellationToken)
    {
        HistoryPage? page = null;
        await TryUntilDoneAsync(async () =>
        {
            page = await grains.GetGrain<IHistoryGrain>(channel.Name).Read(after).AsTask()
                .WaitAsync(BackplaneLimits.CallWithin, clock, cancellationToken);
            return true;
        }, cancellationToken);
        return page!;
    }

    /// <summary>Listens no more. Not repeated: a channel that didn't hear learns it from the answer to its next message.</summary>
    public void Leave(ChannelLeft left)
    {
        if (lease.Epoch is { } epoch)
        {
            var told = left.HasHistory
                ? grains.GetGrain<IHistoryGrain>(left.Name).Leave(epoch, left.Change)
                : grains.GetGrain<IChannelGrain>(left.Name).Leave(epoch, left.Change);
            _ = told.AsTask().ContinueWith(static task => _ = task.Exception, TaskScheduler.Default);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        places.Report = place => ReportAsync(place, stoppingToken);
        places.ReportAll();
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
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogNotKept(error); // it must not end here: nobody would hear of this frontend again
                await Task.Delay(BackplaneLimits.RetryAfter, clock, CancellationToken.None);
            }

            lock (_lock)
            {
                if (_announced.Task.IsCompleted)
                {
                    _announced = new(TaskCreationOptions.RunContinuationsAsynchronously);
                }
            }
        }
    }

    private async Task KeepAnnouncedAsync(long epoch, CancellationToken cancellationToken)
    {
        long? knownSilos = null;
        var listening = new CancellationTokenSource();
        try
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var (announced, silos) = await TryAnnounceAsync(epoch, cancellationToken);
                if (announced is not null && silos != knownSilos)
                {
                    var isNewLease = knownSilos is null;
                    knownSilos = silos;
                    lock (_lock)
                    {
                        _announced.TrySetResult(announced);
                    }

                    await listening.CancelAsync(); // begins anew, with other silos
                    listening.Dispose();
                    listening = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                    _ = ListenAnewAsync(epoch, isNewLease, listening.Token);
                    places.ReportAll();
                }

                await Task.Delay(
                    announced is null ? BackplaneLimits.RetryAfter : BackplaneLimits.AnnounceEvery, clock, cancellationToken);
            }
        }
        finally
        {
            listening.Dispose();
        }
    }

    private async Task<(FrontendAddress? Announced, long Silos)> TryAnnounceAsync(long epoch, CancellationToken cancellationToken)
    {
        try
        {
            _reference ??= grains.CreateObjectReference<IFrontendObserver>(observer);
            var address = new FrontendAddress(epoch, _reference);
            return (address, await grains.GetGrain<IFrontendDirectoryGrain>(0).Announce(address).AsTask()
                .WaitAsync(BackplaneLimits.CallWithin, clock, cancellationToken));
        }
        catch (Exception error) when (error is not OutOfMemoryException
            && (error is not OperationCanceledException || !cancellationToken.IsCancellationRequested))
        {
            LogNotAnnounced(error, epoch);
            return default;
        }
    }

    /// <summary>
    /// What was listened to under an earlier lease is unknown under this one; what a dead silo's channels had yet to send, or knew
    /// of their listeners, is lost with it. A channel that can't be told holds up none of the others, and is tried again.
    /// </summary>
    private async Task ListenAnewAsync(long epoch, bool isNewLease, CancellationToken cancellationToken)
    {
        while (isNewLease && !await TryForgetUnwrittenAsync(cancellationToken))
        {
            await Task.Delay(BackplaneLimits.RetryAfter, clock, cancellationToken);
        }

        for (var left = channels.All; left.Count > 0; await Task.Delay(BackplaneLimits.RetryAfter, clock, cancellationToken))
        {
            var failed = new ConcurrentBag<LocalChannel>();
            await Parallel.ForEachAsync(
                left,
                new ParallelOptions
                {
                    MaxDegreeOfParallelism = BackplaneLimits.ListenCallsMax,
                    CancellationToken = cancellationToken,
                },
                async (channel, token) =>
                {
                    try
                    {
                        await ListenAsync(channel, token);
                    }
                    catch (Exception error) when (error is not OutOfMemoryException && !token.IsCancellationRequested)
                    {
                        LogNotListening(error, epoch, channel.Name);
                        failed.Add(channel);
                    }
                });
            left = [.. failed.Where(channel => channels.Find(channel.Name) == channel)];
        }
    }

    /// <summary>
    /// What was taken over under the last lease and not written by its end never will be: channels with history send it again.
    /// False while the inbox is full.
    /// </summary>
    private async Task<bool> TryForgetUnwrittenAsync(CancellationToken cancellationToken)
    {
        var forgotten = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            observer.Post(() =>
            {
                foreach (var channel in channels.All)
                {
                    channel.History?.ForgetUnwritten();
                }

                forgotten.SetResult();
            });
        }
        catch (UnavailableException)
        {
            return false;
        }

        await forgotten.Task.WaitAsync(cancellationToken);
        return true;
    }

    /// <summary>Reports a place until the grain has acknowledged the latest; what fails is tried again.</summary>
    private async Task ReportAsync(LocalPlace place, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var address = await AnnouncedAsync(cancellationToken);
                if (places.ReportOf(place.Key) is not { } report)
                {
                    break;
                }

                await grains.GetGrain<IPresenceGrain>(place.Key).Report(address, report).AsTask()
                    .WaitAsync(BackplaneLimits.CallWithin, clock, cancellationToken);
                if (places.IsReported(place, report.Version))
                {
                    return;
                }
            }
            catch (Exception error) when (error is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
            {
                LogNotReported(error, place.Key);
                await Task.Delay(BackplaneLimits.RetryAfter, clock, CancellationToken.None);
            }
        }

        places.GiveUp(place);
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
            Exception? trouble = null;
            try
            {
                if (await attempt())
                {
                    return;
                }
            }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested && ClusterTrouble.IsTransient(error))
            {
                trouble = error;
            }

            if (clock.GetElapsedTime(startedAt) >= BackplaneLimits.Patience)
            {
                throw new UnavailableException("The cluster could not be told what this frontend listens to.", trouble);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Frontend {Epoch} could not announce itself; trying again")]
    private partial void LogNotAnnounced(Exception error, long epoch);

    [LoggerMessage(LogLevel.Error, "This frontend could not stay known to the cluster; beginning anew")]
    private partial void LogNotKept(Exception error);

    [LoggerMessage(LogLevel.Warning, "It could not be reported who is present in {Place}; trying again")]
    private partial void LogNotReported(Exception error, string place);

    [LoggerMessage(LogLevel.Warning, "Frontend {Epoch} could not listen again to {Channel}; trying again")]
    private partial void LogNotListening(Exception error, long epoch, string channel);
}
