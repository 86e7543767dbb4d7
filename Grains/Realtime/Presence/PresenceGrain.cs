using Marketplace.Realtime;
using Marketplace.Realtime.Presence;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Marketplace.Grains.Realtime.Presence;

// Exact without storing anything.
//
// Each frontend says whole what it knows, its own connections, so that reports may be lost, repeated or late: the next one says
// it all again, and a lower version is ignored. What a dead frontend said ends with its lease, which is also when its users' slots
// are free. An activation that knows nothing yet asks every living frontend before it answers anybody, so that a silo's death makes
// nobody look absent. Frontends are told the whole state too, the latest and not each one: what can't be told is told again.
[Reentrant]
internal sealed partial class PresenceGrain(FrontendDirectory directory, TimeProvider clock, ILogger<PresenceGrain> logger)
    : Grain, IPresenceGrain
{
    private static readonly TimeSpan PruneEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StayFor = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan AskWithin = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Between two states for one frontend, for each hundred users present: everyone there is told everything, so that a crowd
    /// that comes in would otherwise cost the square of its size.
    /// </summary>
    private static readonly TimeSpan TellEvery = TimeSpan.FromMilliseconds(100);

    private readonly PresenceTable _table = new();
    private readonly Dictionary<long, Listener> _listeners = [];
    private readonly long _epoch = clock.GetUtcNow().Ticks;
    private readonly long _activatedAt = clock.GetTimestamp();
    private Task? _learning;
    private bool _isWhole;
    private bool _isGone;
    private long _version;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(PruneAsync, new(PruneEvery, PruneEvery) { Interleave = true });
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _isGone = true; // what is still being told isn't tried again: nobody prunes any more, and the next activation tells it all
        return Task.CompletedTask;
    }

    public async ValueTask Report(FrontendAddress frontend, PresenceReport report)
    {
        Take(frontend, report);
        await LearnAsync();
    }

    public async ValueTask<PresenceState> Get()
    {
        await LearnAsync();
        return State();
    }

    private void Take(FrontendAddress frontend, PresenceReport report)
    {
        if (!_table.IsNew(frontend.Epoch, report))
        {
            return;
        }

        if (report.Count == 0)
        {
            _listeners.Remove(frontend.Epoch);
        }
        else if (!_listeners.ContainsKey(frontend.Epoch))
        {
            _listeners.Add(frontend.Epoch, new(frontend));
        }

        if (_table.Report(frontend.Epoch, report))
        {
            _version++;
        }

        TellAll();
    }

    private Task LearnAsync()
    {
        if (_learning is null or { IsFaulted: true } or { IsCanceled: true })
        {
            _learning = LearnOnceAsync();
        }

        return _learning;
    }

    private async Task LearnOnceAsync()
    {
        var startedAt = clock.GetTimestamp();
        var live = await directory.GetSinceAsync(_activatedAt);
        while (live.Unannounced.Count > 0 && clock.GetElapsedTime(startedAt) < RealtimeLimits.Patience)
        {
            await Task.Delay(RealtimeLimits.RetryAfter, clock);
            live = await directory.GetSinceAsync(clock.GetTimestamp());
        }

        await Task.WhenAll(live.Frontends.Select(AskAsync));
        _isWhole = true;
        _version++;
        TellAll();
    }

    private async Task AskAsync(FrontendAddress frontend)
    {
        try
        {
            if (await frontend.Observer.ReportPresence(this.GetPrimaryKeyString()).AsTask().WaitAsync(AskWithin, clock) is { } report)
            {
                Take(frontend, report);
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogNotAsked(error, this.GetPrimaryKeyString(), frontend.Epoch); // it reports by itself, see FrontendLink
        }
    }

    private async Task PruneAsync(CancellationToken cancellationToken)
    {
        if (_table.Frontends.Count == 0)
        {
            return;
        }

        DelayDeactivation(StayFor); // whoever is here must hear of a frontend's end, however quiet the place is

        var live = await directory.GetSinceAsync(clock.GetTimestamp());
        foreach (var ended in _listeners.Keys.Where(epoch => !live.IsAlive(epoch)).ToArray())
        {
            _listeners.Remove(ended);
        }

        if (_table.Prune(live.IsAlive))
        {
            _version++;
            TellAll();
        }
    }

    private PresenceState State()
    {
        var (count, users) = _table.Sum();
        return new(_epoch, _version, count, users);
    }

    private void TellAll()
    {
        if (!_isWhole)
        {
            return; // who was present before this activation isn't known yet
        }

        foreach (var listener in _listeners.Values.Where(listener => listener.Telling.IsCompleted && listener.Told < _version))
        {
            listener.Telling = TellAsync(listener);
        }
    }

    private async Task TellAsync(Listener listener)
    {
        while (listener.Told < _version && !_isGone && _listeners.GetValueOrDefault(listener.Frontend.Epoch) == listener)
        {
            var state = State();
            try
            {
                await listener.Frontend.Observer.PresenceChanged(this.GetPrimaryKeyString(), state);
                listener.Told = state.Version;
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogNotTold(error, this.GetPrimaryKeyString(), listener.Frontend.Epoch);
            }

            await Task.Delay(TellEvery * Math.Max(1, state.Count / 100), clock);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Presence in {Place}: frontend {Epoch} could not be asked")]
    private partial void LogNotAsked(Exception error, string place, long epoch);

    [LoggerMessage(LogLevel.Warning, "Presence in {Place}: frontend {Epoch} could not be told; trying again while its lease lives")]
    private partial void LogNotTold(Exception error, string place, long epoch);

    private sealed class Listener(FrontendAddress frontend)
    {
        public FrontendAddress Frontend => frontend;

        public long Told { get; set; } = -1;

        public Task Telling { get; set; } = Task.CompletedTask;
    }
}
