using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load;

/// <summary>The command line of <c>limits</c>.</summary>
internal sealed record BenchOptions : ISuiteOptions
{
    public const string Usage = """
        Measures what the limiter costs, against itself switched off and against its peers, each as processes of their own.
        Usage: Marketplace.Bench.Load limits [options]

          --scenario NAME            runs this one only; may be given several times (default: all)
          --rounds N                 rounds, each measuring everything in turn; medians are reported (default 3; from 1 to 100)
          --seconds N                length of one measurement (default 10; from 1 to 600)
          --connections N            connections of the load generator (default 100; from 1 to 10000)
          --addresses N              client addresses of warm, denied and cold (default 10000; from 1 to 65536)
          --million N                client addresses of million (default 1000000; from 1000 to 10000000)
          --silo-memory-mb N         the bound that million's silo is held against (default 2800, as docs/limits.md has it)
          --frontend-memory-mb N     the bound that million's frontend is held against (default 700)
          --results FILE             the report; sections of scenarios that don't run are kept (default bench/results/limiter.md)
          --help                     this text

        Scenarios:
        """;

    private readonly List<string> _scenarios = [];

    public int Rounds { get; private set; } = 3;

    public int Seconds { get; private set; } = 10;

    public int Connections { get; private set; } = 100;

    public int Addresses { get; private set; } = 10_000;

    public int Million { get; private set; } = 1_000_000;

    /// <summary>Megabytes.</summary>
    public int SiloMemory { get; private set; } = 2_800;

    /// <summary>Megabytes.</summary>
    public int FrontendMemory { get; private set; } = 700;

    public string Results { get; private set; } = Path.Combine("bench", "results", "limiter.md");

    public bool Runs(string scenario) => _scenarios.Count == 0 || _scenarios.Contains(scenario);

    /// <exception cref="Hosting.StartupException">An option is unknown, has no value, or one out of its range.</exception>
    public static BenchOptions Parse(IReadOnlyList<string> args, IReadOnlyCollection<string> scenarios)
    {
        var options = new BenchOptions();
        var line = new CommandLine(args);
        while (line.TryTake(out var name))
        {
            switch (name)
            {
                case "--scenario":
                    options._scenarios.Add(line.OneOf(scenarios));
                    break;
                case "--rounds":
                    options.Rounds = line.Number(1, 100);
                    break;
                case "--seconds":
                    options.Seconds = line.Number(1, 600);
                    break;
                case "--connections":
                    options.Connections = line.Number(1, 10_000);
                    break;
                case "--addresses":
                    options.Addresses = line.Number(1, 65_536);
                    break;
                case "--million":
                    options.Million = line.Number(1_000, 10_000_000);
                    break;
                case "--silo-memory-mb":
                    options.SiloMemory = line.Number(1, 1_000_000);
                    break;
                case "--frontend-memory-mb":
                    options.FrontendMemory = line.Number(1, 1_000_000);
                    break;
                case "--results":
                    options.Results = line.Text();
                    break;
                default:
                    throw line.Unknown();
            }
        }

        return options;
    }
}
