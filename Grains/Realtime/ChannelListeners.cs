using Marketplace.Realtime;
using Marketplace.Trouble;

namespace Marketplace.Grains.Realtime;

/// <summary>
/// The frontends that may listen to one channel, each with its sender. Kept in memory only; how that survives a silo's death is
/// told in ChannelGrain.cs. Runs on its grain's scheduler, so it needs no lock.
/// </summary>
/// <param name="channel">The channel's name.</param>
/// <param name="liveSince">The living frontends as they were at a timestamp of the clock or later.</param>
/// <param name="clock">The clock.</param>
internal sealed class ChannelListeners(string channel, Func<long, Task<LiveFrontends>> liveSince, TimeProvider clock)
{
    private readonly Dictionary<long, FrontendSender> _senders = [];
    private readonly long _activatedAt = clock.GetTimestamp();
    private bool _knowsAll;

    /// <summary>Told of every call to a frontend (its lease) that failed.</summary>
    public required Action<Exception, long> OnFailure { get; init; }

    /// <summary>Where a frontend gets what it lacks; null if the channel keeps nothing.</summary>
    public CatchUp? CatchUp { get; init; }

    /// <summary>Told, when the grain ends, of a frontend that hasn't taken everything and its change.</summary>
    public Action<FrontendAddress, long>? OnUnfinished { get; init; }

    /// <summary>A copy: senders come and go while their answers are awaited.</summary>
    public IReadOnlyList<FrontendSender> All => [.. _senders.Values];

    /// <summary>As <see cref="All"/>, without the frontend of one lease.</summary>
    public IReadOnlyList<FrontendSender> AllBut(long epoch) => [.. _senders.Values.Where(sender => sender.Epoch != epoch)];

    /// <summary>A frontend says that it listens. Nothing is awaited: from here on it gets what is sent.</summary>
    public FrontendSender Listen(FrontendAddress listener, long change)
    {
        var sender = GetOrAdd(listener);
        sender.Change = Math.Max(sender.Change, change);
        return sender;
    }

    public void Leave(long epoch, long change)
    {
        if (_senders.TryGetValue(epoch, out var sender) && change > sender.Change)
        {
            _senders.Remove(epoch);
            sender.Stop();
        }
    }

    /// <summary>Makes every living frontend a candidate, once, since an earlier activation may have known it as a listener.</summary>
    public async Task LearnAsync()
    {
        var startedAt = clock.GetTimestamp();
        for (var since = _activatedAt; !_knowsAll; since = clock.GetTimestamp())
        {
            var live = await liveSince(since);
            if (live.Unannounced.Count == 0)
            {
                foreach (var frontend in live.Frontends)
                {
                    GetOrAdd(frontend);
                }

                _knowsAll = true;
            }
            else if (clock.GetElapsedTime(startedAt) >= RealtimeLimits.Patience)
            {
                throw new UnavailableException(
                    $"Channel {channel}: frontends {string.Join(", ", live.Unannounced)} are not known yet.");
            }
            else
            {
                await Task.Delay(RealtimeLimits.RetryAfter, clock);
            }
        }
    }

    /// <summary>A move is no crash: what was accepted is handed over first, if the frontends let us.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        var running = Task.WhenAll(_senders.Values.Select(sender => sender.Running));
        await running.WaitAsync(RealtimeLimits.Patience, clock, cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        foreach (var sender in _senders.Values)
        {
            if (sender.Backlog > 0)
            {
                OnUnfinished?.Invoke(sender.Frontend, sender.Change);
            }

            sender.Stop(new UnavailableException($"Channel {channel} is moving."));
        }
    }

    private FrontendSender GetOrAdd(FrontendAddress frontend)
    {
        if (!_senders.TryGetValue(frontend.Epoch, out var sender))
        {
            sender = new(channel, frontend, IsAliveAsync, clock, error => OnFailure(error, frontend.Epoch))
            {
                OnGone = Forget,
                CatchUp = CatchUp,
            };
            _senders.Add(frontend.Epoch, sender);
        }

        return sender;
    }

    private void Forget(FrontendSender gone)
    {
        if (_senders.TryGetValue(gone.Epoch, out var known) && known == gone) // it may have left and come back meanwhile
        {
            _senders.Remove(gone.Epoch);
        }
    }

    private async Task<bool> IsAliveAsync(long epoch) =>
        (await liveSince(clock.GetTimestamp())).IsAlive(epoch);
}
