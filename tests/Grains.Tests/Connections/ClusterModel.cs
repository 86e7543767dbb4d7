using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Grains.Connections;
using Marketplace.Grains.Frontends;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Time.Testing;
using Orleans.Storage;

namespace Grains.Tests.Connections;

/// <summary>
/// A cluster of the real rules and the real holders, with what lies between them left to chance: activations of both grains
/// that were replaced and live on, processes that are paused, calls that are carried out late, twice or never, answers
/// that are lost, a PostgreSQL that goes away. One clock for all, since their rates are what the margin is for.
/// </summary>
internal sealed class ClusterModel
{
    public const int Total = 20;
    public const int Frontends = 3;

    private static readonly FrontendLeaseSettings Settings = new();

    private readonly FakeTimeProvider _clock = new();
    private readonly RowStorage _storage = new();
    private readonly List<Leases> _leases = [];
    private readonly List<Totals> _totals = [];
    private readonly List<Action> _underWay = [];
    private readonly Frontend[] _frontends = [.. Enumerable.Range(0, Frontends).Select(_ => new Frontend())];

    public ClusterModel()
    {
        StartLeases();
        StartTotals();
    }

    private TimeSpan Now => _clock.GetElapsedTime(0);

    /// <summary>Does one thing; <paramref name="what"/> and <paramref name="which"/> say what to whom.</summary>
    public void Step(int what, int which)
    {
        var frontend = _frontends[which % Frontends];
        switch (what)
        {
            case < 30: Advance(TimeSpan.FromMilliseconds(250 + (which % 2 * 250))); break;
            case < 40: Keep(frontend, which); break;
            case < 52: Exchange(frontend, which); break;
            case < 66: Deliver(which); break;
            case < 76: frontend.Share?.TryTake(); frontend.Wanted = which % 4; break;
            case < 78: frontend.CloseAll(); break;
            case < 80: Advance(TimeSpan.FromSeconds(which % 15)); break; // everything stands still
            case < 83: StartLeases(); break;
            case < 85: StartTotals(); break;
            case < 88: _leases[which % _leases.Count].IsPaused ^= true; break;
            case < 90: frontend.IsPaused ^= true; break;
            case < 92: _storage.IsAway ^= true; break;
            case < 93: _storage.LosesNextAnswer = true; break;
            case < 96: if (_underWay.Count > 0) { _underWay.RemoveAt(which % _underWay.Count); } break; // lost
            default: if (_underWay.Count > 0) { _underWay.Add(_underWay[which % _underWay.Count]); } break; // twice
        }

        if (_totals.Count == 0) { StartTotals(); }
    }

    /// <summary>The promises.</summary>
    public string? FindViolation()
    {
        var held = 0;
        foreach (var frontend in _frontends.Where(f => f.Lease is { Runs: true }))
        {
            var epoch = frontend.Lease!.Epoch;
            if (_leases.Any(leases => leases.Epochs.IsVoid(epoch)))
            {
                return $"Lease {epoch} is void and its frontend believes that it runs.";
            }

            held += frontend.Share is { } share && share.Epoch == epoch ? share.Held : 0;
        }

        return held > Total ? $"{held} connections are held." : null;
    }

    /// <summary>All works again and nobody is connected: every connection can be had, by any frontend.</summary>
    public string? FindLeakOnceQuiet()
    {
        _storage.IsAway = false;
        _storage.LosesNextAnswer = false;
        _underWay.Clear();
        _leases.Clear();
        _totals.Clear();
        StartLeases();
        StartTotals();
        foreach (var frontend in _frontends)
        {
            frontend.IsPaused = false;
            frontend.CloseAll();
            frontend.Wanted = 0;
        }

        _frontends[0].Wanted = Total;
        for (var second = 0; second < 40; second++)
        {
            foreach (var frontend in _frontends)
            {
                Keep(frontend, 0);
                DeliverAll();
                Exchange(frontend, 0);
                DeliverAll();
            }

            Advance(TimeSpan.FromSeconds(0.5));
            Advance(TimeSpan.FromSeconds(0.5));
        }

        var live = _leases[0].Epochs.Live.Count;
        return FindViolation() ?? (live != Frontends ? $"{live} leases run."
            : _frontends[0].Share!.Held != Total ? $"Of {Total} connections {_frontends[0].Share!.Held} can be had." : null);
    }

    private void Advance(TimeSpan by)
    {
        _clock.Advance(by);
        foreach (var leases in _leases.Where(leases => !leases.IsPaused))
        {
            leases.Tick(Now);
        }
    }

    private void StartLeases()
    {
        try
        {
            _leases.Add(new Leases(_storage, () => Now));
        }
        catch (Exception error) when (error is TimeoutException or InconsistentStateException)
        {
            // It starts when somebody calls again.
        }
    }

    private void StartTotals()
    {
        try
        {
            _totals.Add(new Totals(_storage));
        }
        catch (TimeoutException)
        {
        }
    }

    private void DeliverAll()
    {
        while (_underWay.Count > 0)
        {
            Deliver(0);
        }
    }

    private void Deliver(int which)
    {
        if (_underWay.Count == 0)
        {
            return;
        }

        var next = _underWay[which % _underWay.Count];
        _underWay.RemoveAt(which % _underWay.Count);
        next();
    }

    /// <summary>What FrontendLease does every second.</summary>
    private void Keep(Frontend frontend, int which)
    {
        if (frontend.IsPaused || _leases.Count == 0)
        {
            return;
        }

        var sentAt = _clock.GetTimestamp();
        var call = ++frontend.KeepCall;
        var target = _leases[which / 3 % _leases.Count];
        if (frontend.Lease is { Runs: false })
        {
            frontend.Lose();
        }

        var epoch = frontend.Lease?.Epoch;
        Send(target, () => epoch is { } known ? target.Renew(known) : target.Register(), answer =>
        {
            if (frontend.KeepCall != call || frontend.IsPaused)
            {
                return;
            }

            var endsAt = sentAt + (long)((Settings.Term - Settings.Margin).TotalSeconds * _clock.TimestampFrequency);
            if (answer is null || (epoch is not null && frontend.Lease?.Extend(endsAt) != true))
            {
                frontend.Lose();
            }
            else
            {
                frontend.Lease ??= new HeldLease(answer.Value, endsAt, _clock);
            }
        });
    }

    /// <summary>What ConnectionTotal does every second.</summary>
    private void Exchange(Frontend frontend, int which)
    {
        if (frontend.IsPaused || _totals.Count == 0 || frontend.Lease is not { Runs: true } lease)
        {
            return;
        }

        if (frontend.Share?.Epoch != lease.Epoch)
        {
            frontend.Share = new(lease.Epoch);
        }

        var share = frontend.Share;
        var request = share.NextRequest(frontend.Wanted);
        var totals = _totals[which / 3 % _totals.Count];
        var leases = _leases[which / 7 % _leases.Count];
        Send(leases, () => totals.Exchange(request, leases.Epochs), answer =>
        {
            if (!frontend.IsPaused)
            {
                share.Accept(request, answer);
            }
        });
    }

    /// <summary>A call and its answer are two things that can be late, doubled or lost, each for itself.</summary>
    private void Send<T>(Leases target, Func<T> call, Action<T> answered) => _underWay.Add(() =>
    {
        if (target.IsPaused)
        {
            _underWay.Add(() => Answer(call, answered));
            return;
        }

        Answer(call, answered);
    });

    private void Answer<T>(Func<T> call, Action<T> answered)
    {
        try
        {
            var answer = call();
            _underWay.Add(() => answered(answer));
        }
        catch (Exception error) when (error is TimeoutException or InconsistentStateException or InvalidOperationException)
        {
            _totals.RemoveAll(totals => totals.IsDead);
        }
    }

    private sealed class Frontend
    {
        public HeldLease? Lease { get; set; }

        public ConnectionShareHolder? Share { get; set; }

        public long KeepCall { get; set; }

        public int Wanted { get; set; }

        public bool IsPaused { get; set; }

        public void CloseAll()
        {
            while (Share is { Used: > 0 } share)
            {
                share.GiveBack();
            }
        }

        public void Lose()
        {
            Lease?.Dispose();
            Lease = null;
        }
    }

    /// <summary>What FrontendLeasesGrain does.</summary>
    private sealed class Leases
    {
        private readonly LeaseStore _store;
        private readonly Func<TimeSpan> _now;
        private readonly LeaseTable _table;
        private readonly Ownership _ownership;
        private (TimeSpan AskedAt, bool IsOwner)? _seen;
        private TimeSpan _nextLook;

        public Leases(RowStorage storage, Func<TimeSpan> now)
        {
            _store = new(storage, default);
            _now = now;
            var stored = _store.ClaimAsync().GetAwaiter().GetResult();
            _table = new LeaseTable(Settings.Term, stored, now(), Ownership.Grace);
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

    /// <summary>What ConnectionTotalGrain does.</summary>
    private sealed class Totals
    {
        private readonly RowStorage _storage;
        private readonly GrainState<ConnectionTotalState> _row = new();
        private readonly ShareTable _shares;

        public Totals(RowStorage storage)
        {
            _storage = storage;
            storage.ReadStateAsync(ConnectionTotalState.Name, default, _row).GetAwaiter().GetResult();
            _shares = new(_row.State ?? new());
        }

        public bool IsDead { get; private set; }

        public ShareAnswer Exchange(ShareRequest request, FrontendEpochs epochs)
        {
            if (IsDead || !epochs.IsLive(request.Epoch))
            {
                return !IsDead && epochs.IsVoid(request.Epoch) ? new(0, false) : throw new InvalidOperationException("Not now.");
            }

            _shares.Prune(epochs);
            var (answer, grants) = _shares.Exchange(request, Total, epochs.Live.Count);
            if (grants)
            {
                IsDead = true;
                _row.State = _shares.ToState();
                _storage.WriteStateAsync(ConnectionTotalState.Name, default, _row).GetAwaiter().GetResult();
                IsDead = false;
            }

            return answer;
        }
    }
}
