using Marketplace.Grains.Limits;
using Marketplace.Limits;

namespace Limits.Tests.Model;

/// <summary>
/// One bucket, its row and several frontends as pure values, under a scheduler that is a function of a seed: it delays, drops and
/// repeats messages, lets both sides crash, lets two activations live at once, pauses frontends and sets the database's clock
/// back. The rules that run in it are the product's own (Bucket, the pools, PermitHolder); only what carries messages between
/// them is the model's.
/// </summary>
internal sealed class World
{
    private static readonly bool Traces = Environment.GetEnvironmentVariable("TRACE") is not null;
    private readonly PriorityQueue<Action, (TimeSpan At, long Order)> _agenda = new();
    private readonly Random _random;
    private long _order;
    private long _numbers;

    public World(int seed, Scenario scenario)
    {
        _random = new(seed);
        Scenario = scenario;
        Store = new(this);
        Silent = new(new Clock(this));
        Judge = new(scenario);
        Frontends = [.. Enumerable.Range(0, scenario.Frontends).Select(i => new ModelFrontend(this, i))];
    }

    public Scenario Scenario { get; }

    public ModelStore Store { get; }

    public Judge Judge { get; }

    /// <summary>One silo's; outlives its activations.</summary>
    public SilentHolders Silent { get; }

    public IReadOnlyList<ModelFrontend> Frontends { get; }

    /// <summary>Activations that may get messages: usually one, two while the directory is split.</summary>
    public List<ModelActivation> Activations { get; } = [];

    /// <summary>Frontend processes, dead ones too, by their observer's name.</summary>
    public Dictionary<string, ModelFrontend.Ear> Ears { get; } = [];

    public TimeSpan Now { get; private set; }

    /// <summary>While false, messages arrive soon and nothing is lost.</summary>
    public bool IsTroubled { get; set; }

    /// <summary>Tells what happens, if TRACE asks for it; costs nothing else.</summary>
    public void Trace(FormattableString what)
    {
        if (Traces)
        {
            Console.WriteLine($"{Now} {what}");
        }
    }

    public long NextNumber() => ++_numbers;

    public int Random(int below) => _random.Next(below);

    public bool Chance(int percent) => _random.Next(100) < percent;

    public void At(TimeSpan delay, Action action) => _agenda.Enqueue(action, (Now + delay, ++_order));

    /// <summary>Carries a message: late, not at all, or twice.</summary>
    public void Send(Action arrive)
    {
        if (IsTroubled && Chance(8))
        {
            return;
        }

        At(Delay(), arrive);
        if (IsTroubled && Chance(8))
        {
            At(Delay() * 3, arrive);
        }
    }

    /// <summary>The activation that a message goes to; a dead one is replaced.</summary>
    public ModelActivation Route()
    {
        if (Activations.Count == 0)
        {
            Activations.Add(new(this));
        }

        return Activations[Random(Activations.Count)];
    }

    /// <summary>Runs until nothing is left to do, or until <paramref name="until"/>.</summary>
    public void Run(TimeSpan until)
    {
        while (_agenda.TryPeek(out _, out var next) && next.At <= until)
        {
            Now = next.At;
            _agenda.Dequeue()();
        }

        Now = until;
    }

    private TimeSpan Delay() => TimeSpan.FromMilliseconds(IsTroubled && Chance(5) ? 100 + Random(1_500) : 1 + Random(8));

    private sealed class Clock(World world) : TimeProvider
    {
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => world.Now.Ticks;
    }
}

/// <summary>What a schedule is about.</summary>
internal sealed record Scenario(LimitPolicyOptions Policy, int Frontends)
{
    public static Scenario Of(Random random, LimitAlgorithm algorithm) => new(
        new()
        {
            Algorithm = algorithm,
            Limit = 1 + random.Next(random.Next(4) == 0 ? 100 : 24),
            Window = TimeSpan.FromSeconds(2 + random.Next(20)),
            Segments = 2 + random.Next(8),
            Refill = algorithm == LimitAlgorithm.TokenBucket ? 1 + random.Next(20) : 0,
        },
        1 + random.Next(3));
}
