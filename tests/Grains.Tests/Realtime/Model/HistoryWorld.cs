using Marketplace.Grains.Realtime.History;
using Marketplace.Trouble;

namespace Grains.Tests.Realtime.Model;

/// <summary>
/// One channel with history, its table, the silos that hold it and the frontends that follow it, under a scheduler that is a
/// function of a seed: it delays, drops and repeats calls, loses answers, kills and pauses silos and frontends, and lets two
/// activations live at once. What runs in it is the product's own (HistoryChannel with its listeners and senders, LocalHistory,
/// HistoryJoin, HistoryFollower); what carries calls between them, and the statements of the table, are the model's.
/// </summary>
internal sealed class HistoryWorld : SynchronizationContext
{
    public const string Channel = "hub/history/room";

    private static readonly bool Traces = Environment.GetEnvironmentVariable("TRACE") is not null;

    /// <summary>After which a call whose answer hasn't come has failed; longer than a frontend waits for a Listen.</summary>
    private static readonly TimeSpan CallWithin = TimeSpan.FromSeconds(4);

    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _agenda = new();
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = new();
    private readonly Random _random;
    private readonly Dictionary<(ModelNode, ModelNode), TimeSpan> _cuts = [];
    private long _order;

    public HistoryWorld(int seed)
    {
        _random = new(seed);
        Store = new(this);
        Silos = new(this);
        Judge = new(this);
    }

    public TimeSpan Now { get; private set; }

    /// <summary>While false, calls arrive soon and nothing is lost.</summary>
    public bool IsTroubled { get; set; }

    public ModelHistoryStore Store { get; }

    public ModelSilos Silos { get; }

    public HistoryJudge Judge { get; }

    /// <summary>Whether there were two activations at some time: one may have been behind.</summary>
    public bool HadTwoActivations { get; set; }

    /// <summary>All that ever were, so that a lease can outlive its process.</summary>
    public List<ModelHistoryFrontend> Frontends { get; } = [];

    public IReadOnlyList<ModelHistoryFrontend> Living => [.. Frontends.Where(frontend => !frontend.Node.IsDead)];

    public required HistorySettings Settings { get; init; }

    /// <summary>What was wrong first.</summary>
    public string? Verdict { get; private set; }

    public void Say(string what) => Verdict ??= $"at {Now}: {what}";

    /// <summary>Tells what happens, if TRACE asks for it; costs nothing else.</summary>
    public void Trace(FormattableString what)
    {
        if (Traces)
        {
            Console.WriteLine($"{Now} {what}");
        }
    }

    public int Random(int below) => _random.Next(below);

    public bool Chance(int percent) => _random.Next(100) < percent;

    public bool Trouble(int percent) => IsTroubled && Chance(percent);

    public void At(TimeSpan delay, Action action) => _agenda.Enqueue(action, (Now + delay, ++_order));

    /// <summary>A process does something later: when it runs again if it is paused then, and never if it is dead.</summary>
    public void At(ModelNode node, TimeSpan delay, Action action) => At(delay, () =>
    {
        if (node.PausedUntil > Now)
        {
            At(node, node.PausedUntil - Now, action);
        }
        else if (!node.IsDead)
        {
            action();
        }
    });

    /// <summary>Two processes don't reach each other for a while.</summary>
    public void Cut(ModelNode a, ModelNode b, TimeSpan duration) => _cuts[(a, b)] = _cuts[(b, a)] = Now + duration;

    public void Heal() => _cuts.Clear();

    /// <summary>Calls another process: it hears of it late, never or twice, and so does the caller of the answer.</summary>
    public Task<T> Call<T>(ModelNode from, ModelNode to, Func<ValueTask<T>> handle)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        At(from, CallWithin, () => answer.TrySetException(new TimeoutException("No answer.")));
        Send(from, to, () => _ = HandleAsync());
        if (Trouble(4))
        {
            Send(from, to, () => _ = HandleAsync());
        }

        return answer.Task;

        async Task HandleAsync()
        {
            try
            {
                var result = await handle();
                Send(to, from, () => answer.TrySetResult(result));
            }
            catch (Exception error) when (error is TimeoutException or UnavailableException)
            {
                Send(to, from, () => answer.TrySetException(error));
            }
            catch (Exception error)
            {
                Say($"a call failed as none should: {error}");
            }
        }
    }

    public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

    /// <summary>Runs until <paramref name="until"/>, or until something was wrong.</summary>
    public void Run(TimeSpan until)
    {
        Drain();
        while (Verdict is null && _agenda.TryPeek(out _, out var next) && next.At <= until)
        {
            Now = next.At;
            _agenda.Dequeue()();
            Drain();
        }

        Now = until;
    }

    private void Drain()
    {
        while (_ready.TryDequeue(out var next))
        {
            next.Callback(next.State);
        }
    }

    private void Send(ModelNode from, ModelNode to, Action arrive)
    {
        if (!Trouble(5) && !from.IsDead && !(_cuts.TryGetValue((from, to), out var until) && until > Now))
        {
            At(to, Delay(), arrive);
        }
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(
        Trouble(6) ? 50 + Random(Chance(20) ? 3_800 : 800) : 1 + Random(6));
}

/// <summary>A process.</summary>
internal sealed class ModelNode
{
    private static int _count;

    public int Number { get; } = Interlocked.Increment(ref _count);

    public bool IsDead { get; set; }

    /// <summary>Until then it does nothing.</summary>
    public TimeSpan PausedUntil { get; set; }
}

/// <summary>The clock of one process: a paused one's timers are late, a dead one's never come.</summary>
internal sealed class ModelClock(HistoryWorld world, ModelNode node) : TimeProvider
{
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => world.Now.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(world, node, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(HistoryWorld world, ModelNode node, Action fire) : ITimer
    {
        private int _version;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var version = ++_version;
            if (dueTime >= TimeSpan.Zero)
            {
                world.At(node, dueTime, () =>
                {
                    if (version == _version)
                    {
                        fire();
                    }
                });
            }

            return true;
        }

        public void Dispose() => _version++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
