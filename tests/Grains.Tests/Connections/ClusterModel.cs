using Marketplace.Frontends;
using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Time.Testing;
using Orleans.Storage;

namespace Grains.Tests.Connections;

/// <summary>
/// A cluster of the real rules and the real holders, with what lies between them left to chance: activations of both grains
/// that were replaced and live on, processes that are paused, calls that are carried out late, twice or never, answers
/// that are lost, a PostgreSQL that goes away. One clock for all, since their rates are what the margin is for.
/// </summary>
internal sealed partial class ClusterModel
{
    public const int Total = 20;
    public const int Frontends = 3;

    /// <summary>Steps below have to do with the total, those from here on with the user.</summary>
    public const int OfTheTotal = 100;

    private static readonly FrontendLeaseSettings Settings = new();

    private readonly FakeTimeProvider _clock = new();
    private readonly RowStorage _storage = new();
    private readonly List<ModelLeases> _leases = [];
    private readonly List<ModelTotals> _totals = [];
    private readonly List<Action> _underWay = [];
    private readonly ModelFrontend[] _frontends;
    private string? _wrongRefusal;
    private long _closings;
    private long _firstRound;

    public ClusterModel()
    {
        _frontends = [.. Enumerable.Range(0, Frontends).Select(_ => new ModelFrontend(_underWay.Add))];
        StartLeases();
        StartTotals();
    }

    private TimeSpan Now => _clock.GetElapsedTime(0);

    /// <summary>Does one thing; <paramref name="what"/> and <paramref name="which"/> say what to whom.</summary>
    public void Step(int what, int which)
    {
        if (what >= OfTheTotal)
        {
            UserStep(which % 100, which);
            return;
        }

        var frontend = _frontends[which % Frontends];
        switch (what)
        {
            case < 26: Advance(TimeSpan.FromMilliseconds(250 + (which % 2 * 250))); break;
            case < 35: Keep(frontend, which); break;
            case < 47: Exchange(frontend, which); break;
            case < 64: Deliver(which); break;
            case < 72: frontend.Connect(); break;
            case < 74: Close(frontend); break;
            case < 75: frontend.CloseAll(); break;
            case < 76: frontend.GiveUp(); break;
            case < 78: Advance(TimeSpan.FromSeconds(which % 15)); break; // everything stands still
            case < 80: if (_totals.Count > 0) { _totals[which / 3 % _totals.Count].GiveUp(); } break; // a recall's deadline
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

    /// <summary>Every process lives and every frontend has a lease; connections come and go, and nothing gets lost.</summary>
    public void CalmStep(int what, int which)
    {
        var frontend = _frontends[which % Frontends];
        if (frontend.Lease is null)
        {
            Array.ForEach(_frontends, each => Keep(each, 0));
            DeliverAll();
        }

        switch (what)
        {
            case < 40: Deliver(which); break;
            case < 60: if (!frontend.IsExchanging) { Exchange(frontend, 0); } break;
            case < 90: frontend.Connect(); break;
            default: Close(frontend); break;
        }
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

        return held > Total ? $"{held} connections are held." : FindTooManyOfUser();
    }

    /// <summary>
    /// A connection that was refused although there was one left for it, while nothing was lost. What comes free where others
    /// wait for more is theirs, and may be found by them only: nobody closed one while the exchanges were under way.
    /// </summary>
    public string? FindWrongRefusal() => _wrongRefusal;

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
            frontend.GiveUp();
        }

        for (var second = 0; second < 40; second++)
        {
            while (second > 35 && _frontends[0].Used + _frontends[0].Waiting < Total)
            {
                _frontends[0].Connect();
            }

            foreach (var frontend in _frontends)
            {
                Keep(frontend, 0);
                DeliverAll();
                Exchange(frontend, 0);
                DeliverAll();
            }

            _totals[0].GiveUp();
            Advance(TimeSpan.FromSeconds(0.5));
            Advance(TimeSpan.FromSeconds(0.5));
        }

        var live = _leases[0].Epochs.Live.Count;
        return FindViolation() ?? (live != Frontends ? $"{live} leases run."
            : _frontends[0].Used != Total ? $"Of {Total} connections {_frontends[0].Used} can be had."
            : FindUserLeakOnceQuiet());
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
            _leases.Add(new ModelLeases(_storage, () => Now, Settings.Term));
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
            _totals.Add(new ModelTotals(_storage, Total, _firstRound += 1_000_000));
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

    private void Close(ModelFrontend frontend)
    {
        frontend.Close();
        _closings++;
    }

    /// <summary>What FrontendLease does every second.</summary>
    private void Keep(ModelFrontend frontend, int which)
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
        Send(target, () => Call(
            () => epoch is { } known ? target.Renew(known) : target.Register(),
            answer =>
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
                else if (frontend.Lease is null)
                {
                    frontend.Begin(new HeldLease(answer.Value, endsAt, _clock));
                }
            }));
    }

    /// <summary>What ConnectionTotal does every second, and when somebody waits or it is asked to.</summary>
    private void Exchange(ModelFrontend frontend, int which)
    {
        if (frontend.IsPaused || _totals.Count == 0 || frontend.Lease is not { Runs: true } || frontend.Share is not { } share)
        {
            return;
        }

        var request = share.NextRequest(frontend.Waiting, frontend);
        frontend.ClosingsAtRequest = _closings;
        var closings = _frontends.Where(each => each.IsExchanging || each == frontend).Min(each => each.ClosingsAtRequest);
        var totals = _totals[which / 3 % _totals.Count];
        var leases = _leases[which / 7 % _leases.Count];
        frontend.IsExchanging = true;
        Send(leases, () => Try(() => totals.Exchange(request, leases.Epochs, answer => _underWay.Add(() =>
        {
            frontend.IsExchanging = false;
            if (!frontend.IsPaused && frontend.Accept(share, request, answer) > 0 && closings == _closings
                && _frontends.Sum(each => each.Used + each.Waiting) < Total)
            {
                _wrongRefusal = $"Refused with {_frontends.Sum(each => each.Used)} of {Total} connections in use.";
            }
        }))));
    }

    /// <summary>A call and its answer are two things that can be late, doubled or lost, each for itself.</summary>
    private void Send(ModelLeases target, Action call) => _underWay.Add(() =>
    {
        if (target.IsPaused)
        {
            _underWay.Add(call);
            return;
        }

        call();
    });

    private void Call<T>(Func<T> call, Action<T> answered) => Try(() =>
    {
        var answer = call();
        _underWay.Add(() => answered(answer));
    });

    private void Try(Action call)
    {
        try
        {
            call();
        }
        catch (Exception error) when (error is TimeoutException or InconsistentStateException or InvalidOperationException)
        {
            _totals.RemoveAll(totals => totals.IsDead);
            _users.RemoveAll(user => user.IsDead);
        }
    }
}
