using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>The command line of <c>realtime</c>.</summary>
internal sealed record RealtimeOptions : ISuiteOptions
{
    public const string Usage = """
        Measures what connections and messages cost, against plain SignalR and against Socket.IO, each as processes of their own.
        Usage: Marketplace.Bench.Load realtime [options]

          --scenario NAME            runs this one only; may be given several times (default: all)
          --rounds N                 rounds, each measuring everything in turn; medians are reported (default 3; from 1 to 100)
          --warm-ups N               rounds before those, which don't count (default 2; from 0 to 100)
          --connections N            connections of connect, broadcast and kill (default 10000; from 10 to 36000)
          --frontends N              the marketplace's; pairs has at least 2, hold as many as it needs (default 2; from 1 to 16)
          --at-once N                handshakes under way (default 256; from 1 to 1000)
          --broadcasts N             broadcasts of a round, whose median counts (default 5; from 1 to 100)
          --pairs N                  groups of two in pairs (default 500; from 1 to 9000)
          --send-rate N              messages in a second of pairs (default 1000; from 1 to 100000)
          --seconds N                how long a round of pairs or slow talks (default 20; from 1 to 600)
          --members N                members of slow's room (default 50; from 12 to 10000)
          --hold-connections N       connections of hold (default 100000; from 10 to 1000000)
          --hold-seconds N           how long they are held (default 600; from 1 to 86400)
          --results FILE             the report; sections of scenarios that don't run are kept (default bench/results/realtime.md)
          --help                     this text

        Scenarios:
        """;

    private readonly List<string> _scenarios = [];

    public int Rounds { get; private set; } = 3;

    /// <summary>Fewer than the limiter's: a round here connects thousands of clients, or lets them talk for long.</summary>
    public int WarmUps { get; private set; } = 2;

    public int Connections { get; private set; } = 10_000;

    public int Frontends { get; private set; } = 2;

    public int AtOnce { get; private set; } = 256;

    public int Broadcasts { get; private set; } = 5;

    public int Pairs { get; private set; } = 500;

    public int SendRate { get; private set; } = 1_000;

    public int Seconds { get; private set; } = 20;

    public int Members { get; private set; } = 50;

    public int HoldConnections { get; private set; } = 100_000;

    public int HoldSeconds { get; private set; } = 600;

    public string Results { get; private set; } = Path.Combine("bench", "results", "realtime.md");

    public bool Runs(string scenario) => _scenarios.Count == 0 || _scenarios.Contains(scenario);

    /// <exception cref="Hosting.StartupException">An option is unknown, has no value, or one out of its range.</exception>
    public static RealtimeOptions Parse(IReadOnlyList<string> args, IReadOnlyCollection<string> scenarios)
    {
        var options = new RealtimeOptions();
        var line = new CommandLine(args);
        while (line.TryTake(out var name))
        {
            options.Take(name, line, scenarios);
        }

        return options;
    }

    private void Take(string name, CommandLine line, IReadOnlyCollection<string> scenarios)
    {
        switch (name)
        {
            case "--scenario":
                _scenarios.Add(line.OneOf(scenarios));
                break;
            case "--rounds":
                Rounds = line.Number(1, 100);
                break;
            case "--warm-ups":
                WarmUps = line.Number(0, 100);
                break;
            case "--connections":
                Connections = line.Number(10, 36_000);
                break;
            case "--frontends":
                Frontends = line.Number(1, 16);
                break;
            case "--at-once":
                AtOnce = line.Number(1, 1_000);
                break;
            case "--broadcasts":
                Broadcasts = line.Number(1, 100);
                break;
            case "--pairs":
                Pairs = line.Number(1, 9_000);
                break;
            case "--send-rate":
                SendRate = line.Number(1, 100_000);
                break;
            case "--seconds":
                Seconds = line.Number(1, 600);
                break;
            case "--members":
                Members = line.Number(12, 10_000);
                break;
            case "--hold-connections":
                HoldConnections = line.Number(10, 1_000_000);
                break;
            case "--hold-seconds":
                HoldSeconds = line.Number(1, 86_400);
                break;
            case "--results":
                Results = line.Text();
                break;
            default:
                throw line.Unknown();
        }
    }
}
