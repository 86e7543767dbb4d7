using Marketplace.Frontends;
using Marketplace.Trouble;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Providers;
using Orleans.Storage;

namespace Marketplace.Grains.Frontends;

// Leases, and why they can be relied upon.
//
// Two things must never both be true: a frontend believes that its lease runs, and the cluster holds it for void. The
// frontend's side is simple: it counts from the moment at which it *sent* the last renewal that was answered, less a
// margin, and a lease it once saw end never revives. This side has three rules:
//
//   1. Epochs are stored before they are answered, and never given out twice. A write carries the row's etag, so an
//      activation that was replaced can't register anybody.
//   2. An activation begins by writing its name into the row, and only then reads its clock: every known epoch runs from
//      there for a term and a grace (3 s). Renewals themselves are kept in memory only: a restart of PostgreSQL drops nobody.
//   3. A lease is made void only upon a look at the row that was sent *after* its term was over and found this
//      activation's name. So at that moment no other activation existed that might have extended it. Void is therefore
//      true for ever and from whomever it is heard, and may be cached; of epochs that it never gave out, an activation
//      knows nothing and says so.
//
// What is left is an activation A that was replaced by B and doesn't know it yet (the directory gives one activation; this
// is for the moment when it can't). Harm would need A to extend a lease by more than B waits. A looks at the row every
// second, and while PostgreSQL answers a renewal it grants is at most a grace younger than a look that found A's name, which
// is before B's start: B's first ends are a term and a grace later. Was A paused (SIGSTOP, a starved host: no turn and
// no beat for 2 s), it refuses until it has looked again. While PostgreSQL doesn't answer A, A goes on renewing: B can't start
// without PostgreSQL either.
//
// What remains unsafe: A is cut off from PostgreSQL *and* from the other silos, but not from some frontend that reaches A
// alone, and B starts on the other side. That frontend then goes on holding what B gives away, until A finds PostgreSQL
// again. The same goes for an A whose clock stood still with its virtual machine, if PostgreSQL is away when both resume.
[Reentrant] // a renewal must not wait behind a registration that waits for PostgreSQL
internal sealed partial class FrontendLeasesGrain(
    [FromKeyedServices(ProviderConstants.DEFAULT_STORAGE_PROVIDER_NAME)] IGrainStorage storage,
    IGrainContext context,
    IOptions<FrontendLeaseSettings> settings,
    TimeProvider clock,
    ILogger<FrontendLeasesGrain> logger) : Grain, IFrontendLeasesGrain, IDisposable
{
    private readonly LeaseStore _store = new(storage, context.GrainId);
    private readonly long _origin = clock.GetTimestamp();
    private LeaseTable _table = null!;
    private Ownership _ownership = null!;
    private bool _isDatabaseAway;

    private TimeSpan Now => clock.GetElapsedTime(_origin);

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        var stored = await _store.ClaimAsync();
        var now = Now; // after the claim: what went before was the other activation's time
        _table = new LeaseTable(settings.Value.Term, stored, now, Ownership.Grace);
        _ownership = new Ownership(now);
        this.RegisterGrainTimer(Beat, new(Ownership.BeatEvery, Ownership.BeatEvery) { Interleave = true });
        this.RegisterGrainTimer(ConfirmAsync, new(Ownership.ConfirmEvery, Ownership.ConfirmEvery) { Interleave = true });
    }

    public void Dispose() => _store.Dispose();

    public async ValueTask<FrontendLeaseTerm> Register(FrontendRegistration registration)
    {
        ThrowIfDoubtful();
        if (_table.IsFull)
        {
            throw new UnavailableException($"There are {LeaseTable.MaxLeases} frontend leases already.");
        }

        var epoch = _table.Register(registration.Name, Now);
        try
        {
            await SaveAsync();
        }
        catch
        {
            _table.Release(epoch); // the epoch is burnt: a write whose answer was lost may have stored it
            throw;
        }

        LogRegistered(epoch, registration.Name);
        return new(epoch, settings.Value.Term);
    }

    public ValueTask<FrontendLeaseTerm?> Renew(long epoch)
    {
        ThrowIfDoubtful();
        return new(_table.Renew(epoch, Now) ? new FrontendLeaseTerm(epoch, settings.Value.Term) : null);
    }

    public async ValueTask Release(long epoch)
    {
        if (_table.Release(epoch))
        {
            LogReleased(epoch);
            await SaveAsync();
        }
    }

    public ValueTask<IReadOnlyList<FrontendLeaseInfo>> GetLive()
    {
        ThrowIfDoubtful();
        return new([.. _table.List(Now).Select(l => new FrontendLeaseInfo(l.Epoch, l.Name, l.Remaining))]);
    }

    public ValueTask<FrontendEpochs> GetEpochs()
    {
        ThrowIfDoubtful();
        return new(_table.Epochs);
    }

    private void ThrowIfDoubtful()
    {
        if (!_ownership.MayRenew(Now))
        {
            throw new UnavailableException("Another activation may have taken over the frontend leases.");
        }
    }

    private Task Beat(CancellationToken cancellationToken)
    {
        _ownership.Beat(Now);
        return Task.CompletedTask;
    }

    private async Task ConfirmAsync(CancellationToken cancellationToken)
    {
        var askedAt = Now;
        _ownership.Beat(askedAt);
        try
        {
            if (!await _store.IsOwnerAsync())
            {
                LoseOwnership();
                return;
            }

            if (_isDatabaseAway)
            {
                _isDatabaseAway = false;
                LogDatabaseBack();
            }

            _ownership.Confirm(askedAt);
            var ended = _table.End(askedAt);
            foreach (var (epoch, name) in ended)
            {
                LogEnded(epoch, name);
            }

            if (ended.Count > 0)
            {
                await SaveAsync(); // for whoever reads the row; were it lost, the epochs would only be void a little later
            }
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            if (!_isDatabaseAway)
            {
                _isDatabaseAway = true;
                LogDatabaseAway(error);
            }
        }
    }

    private async Task SaveAsync()
    {
        try
        {
            _table.Stored(await _store.SaveAsync(_table.ToState));
        }
        catch (InconsistentStateException)
        {
            LoseOwnership();
            throw;
        }
    }

    private void LoseOwnership()
    {
        _ownership.Lose();
        LogLost();
        DeactivateOnIdle();
    }

    [LoggerMessage(LogLevel.Information, "Frontend {Name} has lease {Epoch}")]
    private partial void LogRegistered(long epoch, string name);

    [LoggerMessage(LogLevel.Information, "Lease {Epoch} was released")]
    private partial void LogReleased(long epoch);

    [LoggerMessage(LogLevel.Warning, "Lease {Epoch} of frontend {Name} has ended without being released")]
    private partial void LogEnded(long epoch, string name);

    [LoggerMessage(LogLevel.Warning, "Another activation has taken over the frontend leases; this one ends")]
    private partial void LogLost();

    [LoggerMessage(LogLevel.Warning, "The row of the frontend leases can't be read: leases are renewed, none can start or end")]
    private partial void LogDatabaseAway(Exception error);

    [LoggerMessage(LogLevel.Information, "The row of the frontend leases can be read again")]
    private partial void LogDatabaseBack();
}
