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
/// and one at once when a connection waits for more. So a connection costs no call here while the share lasts.
/// </summary>
internal sealed partial class ConnectionTotal(
    IGrainFactory grains,
    IFrontendLease lease,
    IOptions<FrontendLeaseSettings> settings,
    TimeProvider clock,
    ILogger<ConnectionTotal> logger) : BackgroundService
{
    /// <summary>Beyond it a connection is refused as if the cluster couldn't be reached, which at such a rate it can't.</summary>
    private const int MaxWaiting = 4_096;

    private readonly Channel<Waiter> _waiting = Channel.CreateBounded<Waiter>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Lock _gate = new();
    private ConnectionShareHolder? _share;
    private bool _isTroubled;

    /// <summary>Whether <see cref="TakeAsync"/> would be refused, as far as is known here.</summary>
    public bool IsExhausted(long epoch) => ShareOf(epoch).IsExhausted;

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

        try
        {
            return (await waiter.Outcome.Task.WaitAsync(settings.Value.CallDeadline, clock), share);
        }
        catch (TimeoutException)
        {
            // Unless it was decided at this very moment.
            waiter.Outcome.TrySetResult(TotalOutcome.Unavailable);
            return (await waiter.Outcome.Task, share);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var tick = Task.CompletedTask;
        var waiters = new List<Waiter>();
        while (!stoppingToken.IsCancellationRequested)
        {
            if (tick.IsCompleted)
            {
                tick = Task.Delay(settings.Value.RenewEvery, clock, stoppingToken);
            }

            await ExchangeAsync(waiters, stoppingToken);
            if (_share?.HoldsWhatIsWanted != true)
            {
                await Task.WhenAny(tick, _waiting.Reader.WaitToReadAsync(stoppingToken).AsTask());
            }
        }
    }

    private async Task ExchangeAsync(List<Waiter> waiters, CancellationToken stoppingToken)
    {
        while (_waiting.Reader.TryRead(out var waiter))
        {
            waiters.Add(waiter);
        }

        var refusal = TotalOutcome.Unavailable;
        if (lease.Epoch is { } epoch)
        {
            var share = ShareOf(epoch);
            var request = share.NextRequest(waiters.Count(waiter => waiter.Share == share));
            try
            {
                share.Accept(request, await grains.GetGrain<IConnectionTotalGrain>(0).Exchange(request).AsTask()
                    .WaitAsync(settings.Value.CallDeadline, clock, stoppingToken));
                refusal = TotalOutcome.Exhausted;
                _isTroubled = false;
            }
            catch (Exception error)
            {
                // What was said will be said again; until then the share that is in hand is used.
                if (!_isTroubled && !stoppingToken.IsCancellationRequested)
                {
                    _isTroubled = true;
                    LogUnreachable(error.Message);
                }
            }
        }

        foreach (var waiter in waiters)
        {
            Decide(waiter, refusal);
        }

        waiters.Clear();
    }

    private static void Decide(Waiter waiter, TotalOutcome refusal)
    {
        var isTaken = waiter.Share.TryTake();
        if (!waiter.Outcome.TrySetResult(isTaken ? TotalOutcome.Taken : refusal) && isTaken)
        {
            waiter.Share.GiveBack();
        }
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
