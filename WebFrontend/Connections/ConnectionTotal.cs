using System.Threading.Channels;
using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Connections;

/// <summary>What became of a request for one connection of the cluster's total.</summary>
internal enum TotalOutcome
{
    Taken,
    Exhausted,
    Unavailable,
}

/// <summary>
/// Admits within this frontend's share of the total, and keeps the share in step with the cluster: one exchange a second,
/// and one at once when a connection waits for more or the cluster wants back what isn't in use. So a connection costs no
/// call here while the share lasts.
/// </summary>
internal sealed partial class ConnectionTotal(
    IGrainFactory grains,
    IFrontendLease lease,
    ConnectionHolder holder,
    IOptions<FrontendLeaseSettings> settings,
    TimeProvider clock,
    ILogger<ConnectionTotal> logger) : BackgroundService
{
    /// <summary>Beyond it a connection is refused as if the cluster couldn't be reached, which at such a rate it can't.</summary>
    private const int MaxWaiting = 4_096;

    private readonly Channel<Waiter> _waiting = Channel.CreateBounded<Waiter>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly Lock _gate = new();
    private ConnectionShareHolder? _share;
    private bool _isTroubled;

    /// <summary>What <see cref="TakeAsync"/> would say. Takes nothing.</summary>
    public async ValueTask<TotalOutcome> CheckAsync(long epoch)
    {
        if (ShareOf(epoch).HasSpare)
        {
            return TotalOutcome.Taken;
        }

        var (outcome, share) = await TakeAsync(epoch);
        if (outcome == TotalOutcome.Taken)
        {
            share.GiveBack();
        }

        return outcome;
    }

    /// <summary>Takes one connection under <paramref name="epoch"/>; it is given back to the share that is returned.</summary>
    public async ValueTask<(TotalOutcome Outcome, ConnectionShareHolder Share)> TakeAsync(long epoch)
    {
        var share = ShareOf(epoch);
        if (share.TryTake())
        {
            return (TotalOutcome.Taken, share);
        }

        var waiter = new Waiter(share);
        if (!_waiting.Writer.TryWrite(waiter))
        {
            return (TotalOutcome.Unavailable, share);
        }

        _wake.Writer.TryWrite(true);
        try
        {
            return (await waiter.Outcome.Task.WaitAsync(settings.Value.AdmissionDeadline, clock), share);
        }
        catch (TimeoutException)
        {
            // Unless it was decided at this very moment.
            waiter.Outcome.TrySetResult(TotalOutcome.Unavailable);
            return (await waiter.Outcome.Task, share);
        }
    }

    private void OnRecalled(long epoch, long round)
    {
        ShareOf(epoch).Recall(round);
        _wake.Writer.TryWrite(true);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        holder.Recalled += OnRecalled;
        Task tick = Task.CompletedTask, woken = Task.CompletedTask;
        var waiters = new List<Waiter>();
        while (!stoppingToken.IsCancellationRequested)
        {
            if (tick.IsCompleted)
            {
                tick = Task.Delay(settings.Value.RenewEvery, clock, stoppingToken);
            }

            var isAnswered = await ExchangeAsync(waiters, stoppingToken);
            if (isAnswered && (waiters.Count > 0 || _share?.HasSomethingToSay == true))
            {
                continue;
            }

            if (woken.IsCompleted)
            {
                woken = _wake.Reader.WaitToReadAsync(stoppingToken).AsTask();
            }

            await Task.WhenAny(tick, woken);
            _wake.Reader.TryRead(out _); // before anything is looked at, so that none is missed
        }
    }

    /// <summary>One exchange. Who got nothing although the cluster gave all that was wanted stays for the next.</summary>
    /// <returns>Whether the cluster answered.</returns>
    private async Task<bool> ExchangeAsync(List<Waiter> waiters, CancellationToken stoppingToken)
    {
        while (_waiting.Reader.TryRead(out var waiter))
        {
            waiters.Add(waiter);
        }

        waiters.RemoveAll(waiter => TryServe(waiter)); // what came free since needn't be asked for
        if (lease.Epoch is not { } epoch)
        {
            Refuse(waiters, TotalOutcome.Unavailable);
            return false;
        }

        var share = ShareOf(epoch);
        foreach (var late in waiters.Where(waiter => waiter.Share != share))
        {
            late.Outcome.TrySetResult(TotalOutcome.Unavailable); // its lease is over; it goes with those who have an outcome
        }

        try
        {
            var request = share.NextRequest(waiters.Count(waiter => waiter.Share == share), holder.Reference);
            var answer = await grains.GetGrain<IConnectionTotalGrain>(0).Exchange(request).AsTask()
                .WaitAsync(settings.Value.CallDeadline, clock, stoppingToken);
            share.Accept(request, answer);
            _isTroubled = false;
            waiters.RemoveAll(waiter => TryServe(waiter));
            if (answer.Held < request.Wanted)
            {
                Refuse(waiters, TotalOutcome.Exhausted);
            }

            return true;
        }
        catch (Exception error)
        {
            // What was said will be said again; until then the share that is in hand is used.
            if (!_isTroubled && !stoppingToken.IsCancellationRequested)
            {
                _isTroubled = true;
                LogUnreachable(error.Message);
            }

            Refuse(waiters, TotalOutcome.Unavailable);
            return false;
        }
    }

    /// <summary>Whether the waiter has got one, or has gone away.</summary>
    private static bool TryServe(Waiter waiter)
    {
        if (waiter.Outcome.Task.IsCompleted)
        {
            return true;
        }

        if (!waiter.Share.TryTake())
        {
            return false;
        }

        if (!waiter.Outcome.TrySetResult(TotalOutcome.Taken))
        {
            waiter.Share.GiveBack();
        }

        return true;
    }

    private static void Refuse(List<Waiter> waiters, TotalOutcome why)
    {
        waiters.ForEach(waiter => waiter.Outcome.TrySetResult(why));
        waiters.Clear();
    }

    private ConnectionShareHolder ShareOf(long epoch)
    {
        lock (_gate)
        {
            // An older epoch than the current one is over: its caller finds that out before it admits anybody.
            return _share is { } share && share.Epoch >= epoch ? share : _share = new ConnectionShareHolder(epoch);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The cluster's total of connections can't be reached; what is in hand is used. {Reason}")]
    private partial void LogUnreachable(string reason);

    private sealed record Waiter(ConnectionShareHolder Share)
    {
        public TaskCompletionSource<TotalOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
