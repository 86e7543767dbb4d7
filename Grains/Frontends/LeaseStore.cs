using Orleans.Storage;

namespace Marketplace.Grains.Frontends;

/// <summary>
/// The leases' row. It goes to the grain storage itself and not through a persistent state, because the row is looked at
/// while writes are under way, and because a write whose outcome is unknown must not cost the activation its leases.
/// </summary>
internal sealed class LeaseStore(IGrainStorage storage, GrainId grain) : IDisposable
{
    /// <summary>Names the state in the table: there the state's name, not the grain's, tells rows of two grains apart.</summary>
    public const string StateName = "frontend-leases";

    private readonly Guid _owner = Guid.NewGuid();
    private readonly SemaphoreSlim _oneWrite = new(1, 1);
    private GrainState<FrontendLeasesState> _row = new();

    /// <summary>Makes this activation the owner; from then on no other can write.</summary>
    public async Task<FrontendLeasesState> ClaimAsync()
    {
        _row = await ReadAsync();
        return await WriteAsync(StateOf(_row));
    }

    /// <summary>Whether no other activation has claimed the row.</summary>
    public async Task<bool> IsOwnerAsync() => StateOf(await ReadAsync()).Owner == _owner;

    /// <summary>Stores what <paramref name="capture"/> returns once it is this write's turn, and returns it.</summary>
    /// <exception cref="InconsistentStateException">Another activation owns the row.</exception>
    public async Task<FrontendLeasesState> SaveAsync(Func<FrontendLeasesState> capture)
    {
        await _oneWrite.WaitAsync();
        try
        {
            return await WriteAsync(capture());
        }
        catch (InconsistentStateException)
        {
            // Either another owns the row, or an earlier write did take place after all and only its answer was lost.
            var seen = await ReadAsync();
            if (StateOf(seen).Owner != _owner)
            {
                throw;
            }

            _row = seen;
            return await WriteAsync(capture());
        }
        finally
        {
            _oneWrite.Release();
        }
    }

    public void Dispose() => _oneWrite.Dispose();

    private async Task<GrainState<FrontendLeasesState>> ReadAsync()
    {
        var row = new GrainState<FrontendLeasesState>();
        await storage.ReadStateAsync(StateName, grain, row);
        return row;
    }

    private static FrontendLeasesState StateOf(GrainState<FrontendLeasesState> row) => row.State ?? new();

    private async Task<FrontendLeasesState> WriteAsync(FrontendLeasesState state)
    {
        state.Owner = _owner;
        _row.State = state;
        await storage.WriteStateAsync(StateName, grain, _row);
        return state;
    }
}
