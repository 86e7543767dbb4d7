using System.Globalization;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load;

/// <summary>The command line.</summary>
internal sealed record BenchOptions
{
    public const string Usage = """
        Measures what the limiter costs, against itself switched off and against its peers, each as processes of their own.
        Usage: Marketplace.Bench.Load [options]

          --scenario NAME            runs this one only; may be given several times (default: all)
          --rounds N                 rounds, each measuring everything in turn; medians are reported (default 3; from 1 to 100)
          --seconds N                length of one measurement (default 10; from 1 to 600)
          --connections N            connections of the load generator (default 100; from 1 to 10000)
          --addresses N              client addresses of warm, denied and cold (default 10000; from 1 to 65536)
          --million N                client addresses of million (default 1000000; from 1000 to 10000000)
          --silo-memory-mb N         the bound that million's silo is held against (default 2500, as docs/limits.md has it)
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
    public int SiloMemory { get; private set; } = 2_500;

    /// <summary>Megabytes.</summary>
    public int FrontendMemory { get; private set; } = 700;

    public string Results { get; private set; } = Path.Combine("bench", "results", "limiter.md");

    public bool Runs(string scenario) => _scenarios.Count == 0 || _scenarios.Contains(scenario);

    /// <exception cref="StartupException">An option is unknown, has no value, or one out of its range.</exception>
    public static BenchOptions Parse(IReadOnlyList<string> args, IReadOnlyCollection<string> scenarios)
    {
        var options = new BenchOptions();
        for (var i = 0; i < args.Count; i += 2)
        {
            var name = args[i];
            var value = i + 1 < args.Count ? args[i + 1] : throw new StartupException($"{name} needs a value; see --help.");
            switch (name)
            {
                case "--scenario":
                    options._scenarios.Add(scenarios.Contains(value)
                        ? value
                        : throw new StartupException($"--scenario is '{value}'; it must be one of {string.Join(", ", scenarios)}."));
                    break;
                case "--rounds":
                    options.Rounds = Number(name, value, 1, 100);
                    break;
                case "--seconds":
                    options.Seconds = Number(name, value, 1, 600);
                    break;
                case "--connections":
                    options.Connections = Number(name, value, 1, 10_000);
                    break;
                case "--addresses":
                    options.Addresses = Number(name, value, 1, 65_536);
                    break;
                case "--million":
                    options.Million = Number(name, value, 1_000, 10_000_000);
                    break;
                case "--silo-memory-mb":
                    options.SiloMemory = Number(name, value, 1, 1_000_000);
                    break;
                case "--frontend-memory-mb":
                    options.FrontendMemory = Number(name, value, 1, 1_000_000);
                    break;
                case "--results":
                    options.Results = value;
                    break;
                default:
                    throw new StartupException($"{name} is not an option; see --help.");
            }
        }

        return options;
    }

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new StartupException($"{name} is '{text}'; it must be a whole number from {least} to {most}.");
}
