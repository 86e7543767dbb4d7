using Marketplace.Frontends;
using Marketplace.Grains.Frontends;
using Orleans.Storage;

namespace Grains.Tests.Connections;

/// <summary>What FrontendLeasesGrain does.</summary>
internal sealed class ModelLeases
{
    private readonly LeaseStore _store;
    private readonly Func<TimeSpan> _now;
    private readonly LeaseTable _table;
    private readonly Ownership _ownership;
    private (TimeSpan AskedAt, bool IsOwner)? _seen;
    private TimeSpan _nextLook;

    public ModelLeases(RowStorage storage, Func<TimeSpan> now, TimeSpan term)
    {
        _store = new(storage, default);
        _now = now;
        var stored = _store.ClaimAsync().GetAwaiter().GetResult();
        _table = new LeaseTable(term, stored, now(), Ownership.Grace);
        _ownership = new Ownership(now());
    }

    public bool IsPaused { get; set; }

    public FrontendEpochs Epochs => _table.Epochs;

    public long? Register()
    {
        ThrowIfDoubtful();
        var epoch = _table.Register("f", _now());
        try
        {
            Save();
        }
        catch
        {
            _table.Release(epoch);
            throw;
        }

        return epoch;
    }

    public long? Renew(long epoch)
    {
        ThrowIfDoubtful();
        return _table.Renew(epoch, _now()) ? epoch : null;
    }

    /// <summary>A look at the row is taken in one tick and acted upon in a later one.</summary>
    public void Tick(TimeSpan now)
    {
        _ownership.Beat(now);
        if (_seen is { } seen)
        {
            _seen = null;
            if (seen.IsOwner)
            {
                _ownership.Confirm(seen.AskedAt);
                _table.End(seen.AskedAt);
            }
            else
            {
                _ownership.Lose();
            }
        }
        else if (now >= _nextLook)
        {
            _nextLook = now + Ownership.ConfirmEvery;
            try
            {
                _seen = (now, _store.IsOwnerAsync().GetAwaiter().GetResult());
            }
            catch (TimeoutException)
            {
            }
        }
    }

    private void Save()
    {
        try
        {
            _table.Stored(_store.SaveAsync(_table.ToState).GetAwaiter().GetResult());
        }
        catch (InconsistentStateException)
        {
            _ownership.Lose();
            throw;
        }
    }

    private void ThrowIfDoubtful()
    {
        if (!_ownership.MayRenew(_now()))
        {
            throw new InvalidOperationException("Another may have taken over.");
        }
    }
}
