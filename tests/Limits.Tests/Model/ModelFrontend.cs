using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Leases;

namespace Limits.Tests.Model;

/// <summary>A frontend process with one partition: what BucketRateLimiter does around PermitHolder, step by step.</summary>
internal sealed class ModelFrontend
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(300);

    private readonly World _world;
    private readonly TimeSpan _clockIsAheadBy;
    private PermitHolder _holder = null!;
    private Ear _ear = null!;
    private int _life; // grows with every crash: messages to a dead process arrive nowhere
    private int _waiting;
    private bool _isAsking;
    private bool _isHandingBack;
    private bool _handsAllBack;
    private int _attempt;
    private TimeSpan _pausedUntil;
    private bool _watchesTokens;
    private readonly Dictionary<long, long> _windows = []; // of lots, for the judge

    public ModelFrontend(World world, int index)
    {
        (_world, Index) = (world, index);
        _clockIsAheadBy = TimeSpan.FromHours(world.Random(1_000));
        Start();
    }

    public int Index { get; }

    public int Waiting => _waiting;

    public int Admitted { get; private set; }

    public int Refused { get; private set; }

    /// <summary>Where this frontend's permits of running requests are counted.</summary>
    public int InUse => _holder.InUse;

    public int UseEpoch => _holder.UseEpoch;

    /// <summary>Whether what it has in use is its own at this moment, by its own clock.</summary>
    public bool HasLease => _holder.Lot is { } lot && Now < lot.ValidUntil;

    private long Now => (_world.Now + _clockIsAheadBy).Ticks;

    private bool IsConcurrency => _world.Scenario.Policy.Algorithm == LimitAlgorithm.Concurrency;

    private Lot? TokensInHand =>
        _world.Scenario.Policy.Algorithm == LimitAlgorithm.TokenBucket && _holder.Lot is { Left: > 0 } lot ? lot : null;

    public override string ToString() =>
        $"frontend {Index}: {Admitted} admitted, {Refused} refused, {_waiting} waiting, {_holder.Lot?.Left ?? 0} in hand, {_holder.InUse} in use";

    /// <summary>A request arrives.</summary>
    public void Ask()
    {
        if (!TrySpend())
        {
            if (_holder.Refused(1, Now, version: 0) is not null)
            {
                Refused++;
                return;
            }

            _waiting++;
            Pump();
        }
    }

    /// <summary>A request that was admitted turns out not to count, or under a concurrency limit ends.</summary>
    public void GiveBack()
    {
        var isToken = _world.Scenario.Policy.Algorithm == LimitAlgorithm.TokenBucket;
        if (_world.Judge.TakeBack(this, spent => !isToken || _holder.MayRefundToken(spent.Lot, Now)) is not { } spent)
        {
            return;
        }

        _world.Trace($"frontend {Index} gives back");
        Admitted -= IsConcurrency ? 0 : 1;
        var isNeeded = _holder.GiveBack(spent.Lot, 1, _world.Scenario.Policy.Algorithm, IsConcurrency ? spent.UseEpoch : null, Now);
        WatchTokens();
        if (_waiting > 0)
        {
            Pump();
        }
        else if (isNeeded)
        {
            HandBack(all: true);
        }
    }

    /// <summary>What the keeper does now and then.</summary>
    public void Maintain(bool isIdle)
    {
        if (_holder.MustRenew(Now))
        {
            Pump(renews: true);
        }
        else if (_holder.Unanswered is not null)
        {
            Pump();
        }
        else if (isIdle && _waiting == 0)
        {
            HandBack(all: true);
        }
    }

    public void Crash()
    {
        _world.Judge.Died(this);
        Start();
    }

    public void Pause(TimeSpan length) => _pausedUntil = _world.Now + length;

    private void Start()
    {
        _life++;
        _waiting = 0;
        _isAsking = _isHandingBack = _handsAllBack = _watchesTokens = false;
        _ear = new(this, _life);
        _world.Ears.Add(_ear.Name, _ear);
        _holder = new(null!, Guid.NewGuid(), ModelClock.Instance, _world.NextNumber);
    }

    private bool TrySpend()
    {
        if (_holder.TrySpend(1, Now, version: 0) is not { } lot)
        {
            return false;
        }

        if (IsConcurrency)
        {
            _holder.Use(1);
        }

        _world.Trace($"frontend {Index} spends");
        Admitted++;
        _world.Judge.See(new(this, lot, _windows.GetValueOrDefault(lot.Grant.Lot), _holder.UseEpoch, _world.Now));
        return true;
    }

    private void Pump(bool renews = false)
    {
        if (_isAsking)
        {
            return;
        }

        Serve();
        if (_waiting == 0 && !renews && _holder.Unanswered is null)
        {
            return;
        }

        _isAsking = true;
        Send(_holder.Request(_waiting, wantsSpare: _waiting > 0, Now, version: 0, _ear));
    }

    private void Send(PermitRequest request)
    {
        var (sentAt, attempt, life) = (Now, ++_attempt, _life);
        _world.Send(() => _world.Route().Exchange(request, answer => WhenAwake(() => Answer(request, answer, sentAt, attempt), life)));
        _world.At(
            RetryAfter + TimeSpan.FromMilliseconds(_world.Random(2_000)), () => WhenAwake(() => Again(request, attempt), life));
    }

    private void Again(PermitRequest request, int attempt)
    {
        if (_isAsking && attempt == _attempt)
        {
            Send(request);
        }
    }

    private void Answer(PermitRequest request, (PermitGrant Grant, long Window)? answer, long sentAt, int attempt)
    {
        if (!_isAsking || attempt != _attempt)
        {
            return; // an attempt that was given up
        }

        if (answer is not { } answered)
        {
            var life = _life;
            _world.At(TimeSpan.FromMilliseconds(50), () => WhenAwake(() => Again(request, attempt), life));
            return;
        }

        _world.Trace($"frontend {Index}: {request} -> {answered.Grant}");
        _isAsking = false;
        _windows[answered.Grant.Lot] = answered.Window;
        _holder.Answered(answered.Grant, sentAt, Now);
        Serve();
        if (answered.Grant.RetryIn > TimeSpan.Zero)
        {
            if (_waiting > 0)
            {
                _holder.Refuse(1);
            }

            Refused += _waiting;
            _waiting = 0;
        }

        _holder.Told();
        WatchTokens();
        HandBack(all: false);
        Pump();
    }

    private void WatchTokens()
    {
        if (!_watchesTokens && TokensInHand is { } lot)
        {
            _watchesTokens = true;
            Watch(lot);
        }
    }

    private void Watch(Lot lot)
    {
        var (left, life) = (lot.Left, _life);
        _world.At(TimeSpan.FromTicks(Math.Max(0, lot.LookAt - Now)), () => WhenAwake(() => Look(lot, left), life));
    }

    private void Look(Lot lot, int left)
    {
        var next = _holder.Lot == lot ? null : TokensInHand;
        _watchesTokens = next is not null;
        if (next is not null)
        {
            Watch(next);
        }
        else if (_holder.Lot == lot && lot.Left < left && _waiting == 0)
        {
            Pump(renews: true);
        }
        else if (_holder.Lot == lot)
        {
            HandBack(all: true);
        }
    }

    private void Serve()
    {
        while (_waiting > 0 && TrySpend())
        {
            _waiting--;
        }
    }

    private void HandBack(bool all)
    {
        _handsAllBack |= all;
        if (_isHandingBack)
        {
            return;
        }

        if (_holder.HandBack(_handsAllBack, Now, version: 0) is not { } handBack)
        {
            _handsAllBack = false;
            return;
        }

        _isHandingBack = true;
        var life = _life;
        var isAnswered = false;
        _world.Send(() => _world.Route().HandBack(handBack, taken => _world.Send(() => WhenAwake(() => Done(taken), life))));
        _world.At(TimeSpan.FromSeconds(2), () => WhenAwake(() => Done(taken: false), life));

        void Done(bool taken)
        {
            _world.Trace($"frontend {Index}: {handBack} -> {taken} {isAnswered}");

            if (isAnswered)
            {
                return;
            }

            isAnswered = true;
            _isHandingBack = false;
            _holder.HandedBack(handBack, taken);
            if (taken)
            {
                HandBack(all: false);
            }
            else
            {
                _handsAllBack = false;
            }
        }
    }

    private void WhenAwake(Action action, int? life = null)
    {
        var of = life ?? _life;
        if (_pausedUntil > _world.Now)
        {
            _world.At(_pausedUntil - _world.Now, () => WhenAwake(action, of));
        }
        else if (of == _life)
        {
            action();
        }
    }

    /// <summary>The observer of one life of the process; a dead one hears nothing.</summary>
    internal sealed class Ear(ModelFrontend frontend, int life) : IPermitHolder
    {
        public string Name { get; } = $"{frontend.Index}.{life}";

        public Task Recall(string bucket, long round, long answered)
        {
            frontend.WhenAwake(
                () =>
                {
                    frontend._holder.Recall(round, answered);
                    frontend.HandBack(all: false);
                },
                life);
            return Task.CompletedTask;
        }

        public Task Reopened(string bucket)
        {
            frontend.WhenAwake(() => frontend._holder.Reopen(), life);
            return Task.CompletedTask;
        }
    }

    /// <summary>Ticks of 100 ns; whoever asks for the time itself has forgotten to pass it.</summary>
    private sealed class ModelClock : TimeProvider
    {
        public static readonly ModelClock Instance = new();

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => throw new InvalidOperationException("Time is an argument here.");
    }
}
