using Marketplace.Connections;
using Marketplace.Grains.Frontends;
using Marketplace.Trouble;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Connections;

// Never more than the total: what is granted is stored under the row's etag before it is answered, so a second activation
// can grant nothing; a share is given to others only when its holder said that it uses less, or when its lease is void. What
// holders hand back is kept in memory until the next grant: a restart forgets it, until each says it again within a second.
internal sealed class ConnectionTotalGrain(
    [PersistentState(ConnectionTotalState.Name)] IPersistentState<ConnectionTotalState> stored,
    EpochCache epochCache,
    IOptions<ConnectionSettings> settings) : Grain, IConnectionTotalGrain
{
    private ShareTable _shares = new(new());

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _shares = new(stored.State);
        return Task.CompletedTask;
    }

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

        _shares.Prune(epochs);
        var (answer, grants) = _shares.Exchange(request, settings.Value.Total, epochs.Live.Count);
        if (grants)
        {
            await StoreAsync();
        }

        return answer;
    }

    public async ValueTask<IReadOnlyList<ConnectionShare>> GetShares()
    {
        _shares.Prune(await epochCache.GetFreshAsync());
        return [.. _shares.Shares];
    }

    private async Task StoreAsync()
    {
        stored.State = _shares.ToState();
        try
        {
            await stored.WriteStateAsync();
        }
        catch
        {
            // Whether it was stored isn't known: the next activation reads it.
            DeactivateOnIdle();
            throw;
        }
    }
}
