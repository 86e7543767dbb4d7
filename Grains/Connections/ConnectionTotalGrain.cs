using Marketplace.Connections;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Marketplace.Grains.Connections;

// Never more than the total: what is granted is stored under the row's etag before it is answered, so a second activation
// can grant nothing; a share is given to others only when its holder said that it uses less, or when its lease is void. What
// holders hand back is kept in memory until the next grant: a restart forgets it, until each says it again within a second.
//
// Exactly the total: nobody is refused before all others were asked for what they don't use and answered. Whoever waits for
// more at the same time has nothing to give, and isn't asked. So with every frontend alive a refusal says of each connection
// of the total that, since the request came in, it was in use or somebody else waited for it.
[Reentrant] // those who are asked answer while the one who wants more waits
internal sealed partial class ConnectionTotalGrain(
    [PersistentState(ConnectionTotalState.Name)] IPersistentState<ConnectionTotalState> stored,
    EpochCache epochCache,
    CapsCache capsCache,
    TimeProvider clock,
    ILogger<ConnectionTotalGrain> logger) : Grain, IConnectionTotalGrain, IDisposable
{
    private readonly HolderTable _holders = new(clock.GetUtcNow().Ticks);
    private readonly SemaphoreSlim _oneWrite = new(1, 1);
    private ShareTable _shares = new(new());
    private long _changes;
    private long _stored;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _shares = new(stored.State);
        return Task.CompletedTask;
    }

    public void Dispose() => _oneWrite.Dispose();

    public async ValueTask<ShareAnswer> Exchange(ShareRequest request)
    {
        var epochs = await epochCache.GetAsync(request.Epoch);
        if (epochs.IsVoid(request.Epoch))
        {
            return new(Held: 0, IsScarce: false);
        }

        if (!epochs.IsLive(request.Epoch))
        {
            throw new UnavailableException($"The frontend lease {request.Epoch} isn't known yet.");
        }

        var total = (await capsCache.GetAsync()).Total;
        _shares.Prune(epochs);
        _holders.Prune(epochs);
        _holders.Heard(request);
        var answer = await GrantAsync(_shares.Exchange(request, total, epochs.Live.Count, _holders.SomebodyWaits));
        SignalAnswered();
        if (answer.Held >= request.Wanted)
        {
            return answer;
        }

        _holders.Waits(request.Epoch);
        try
        {
            SignalAnswered();
            await RecallAsync();
        }
        finally
        {
            _holders.WaitsNoMore(request.Epoch);
        }

        // A dead frontend's share may have become free meanwhile, too.
        epochs = await epochCache.GetFreshAsync();
        total = (await capsCache.GetAsync()).Total;
        _shares.Prune(epochs);
        return epochs.IsVoid(request.Epoch)
            ? new(Held: 0, IsScarce: false)
            : await GrantAsync(_shares.Grant(request, total, epochs.Live.Count, othersWait: true));
    }

    public async ValueTask<IReadOnlyList<ConnectionShare>> GetShares()
    {
        _shares.Prune(await epochCache.GetFreshAsync());
        return [.. _shares.Shares.Select(share => share with { Used = _holders.UsedBy(share.Epoch) })];
    }

    public ValueTask<IConnectionHolder?> FindHolder(long epoch) => new(_holders.Find(epoch));

    public async ValueTask Reclaim() => await RecallAsync();

    private async ValueTask<ShareAnswer> GrantAsync((ShareAnswer Answer, bool Grants) decision)
    {
        if (decision.Grants)
        {
            await StoreAsync();
        }

        return decision.Answer;
    }

    /// <summary>Returns when a write that began after this call is done; whoever comes while one is under way shares the next.</summary>
    private async Task StoreAsync()
    {
        var change = ++_changes;
        await _oneWrite.WaitAsync();
        try
        {
            if (_stored >= change)
            {
                return;
            }

            var upTo = _changes;
            stored.State = _shares.ToState();
            await stored.WriteStateAsync();
            _stored = upTo;
        }
        catch
        {
            // Whether it was stored isn't known: the next activation reads it.
            DeactivateOnIdle();
            throw;
        }
        finally
        {
            _oneWrite.Release();
        }
    }
}
