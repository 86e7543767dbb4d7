using System.Globalization;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load;

/// <summary>The command line.</summary>
internal sealed record BenchmarkOptions
{
    public int Rounds { get; init; } = 3;

    public int Seconds { get; init; } = 10;

    public int Connections { get; init; } = 100;

    public int Addresses { get; init; } = 10_000;

    public string Results { get; init; } = Path.Combine("bench", "results", "limiter.md");

    /// <exception cref="StartupException">An option is unknown, has no value, or one out of its range.</exception>
    public static BenchmarkOptions Parse(string[] args)
    {
        var options = new BenchmarkOptions();
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new StartupException($"{args[i]} needs a value; see --help.");
            options = args[i] switch
            {
                "--rounds" => options with { Rounds = Number(args[i], value, 3, 100) },
                "--seconds" => options with { Seconds = Number(args[i], value, 1, 600) },
                "--connections" => options with { Connections = Number(args[i], value, 1, 10_000) },
                "--addresses" => options with { Addresses = Number(args[i], value, 1, 1_000_000) },
                "--results" => options with { Results = value },
                _ => throw new StartupException($"{args[i]} is not an option; see --help."),
            };
        }

        return options;
    }

    private static int Number(string name, string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new StartupException($"{name} is '{text}'; it must be a number from {least} to {most}.");
}
