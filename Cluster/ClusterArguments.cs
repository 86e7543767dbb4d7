using System.Globalization;
using Marketplace.Hosting;
using Marketplace.Hosting.Settings;

namespace Marketplace.Cluster;

/// <summary>The command line of <c>Marketplace.Cluster</c>.</summary>
internal static class ClusterArguments
{
    public const string Usage = """
        Marketplace.Cluster: a whole cluster on this machine, each part a process of its own. Ends with Ctrl-C or SIGTERM.
        Usage: Marketplace.Cluster [options]

          --silos N          silos (default 3; from 1 to 32)
          --frontends N      frontends (default 2; from 1 to 32)
          --port P           nginx's port, frontends are at P+1, P+2, … (default 5000; from 1 to 65503, or 0 for any free ones)
          --directory D      where data and logs go (default .data/cluster)
          --no-nginx         frontends only
          --no-restart       processes that end are not started again
          --Section:Name=V   a setting for all silos and frontends; theirs are listed by their own --help
          --help             this text
        """;

    private const int ProcessesMax = 32;

    /// <exception cref="StartupException">An argument is unknown or out of range.</exception>
    public static LocalClusterOptions Parse(IReadOnlyList<string> args)
    {
        var options = new LocalClusterOptions { Port = 5000 };
        var settings = new Dictionary<string, string>();
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var before, var after] ? (before, after) : (args[i], null);
            switch (name)
            {
                case "--silos":
                    options = options with { Silos = Number(name, Value(), 1, ProcessesMax) };
                    break;
                case "--frontends":
                    options = options with { Frontends = Number(name, Value(), 1, ProcessesMax) };
                    break;
                case "--port":
                    options = options with { Port = Number(name, Value(), 0, ushort.MaxValue - ProcessesMax) };
                    break;
                case "--directory":
                    options = options with { Directory = Value() };
                    break;
                case "--no-nginx" when value is null:
                    options = options with { WithNginx = false };
                    break;
                case "--no-restart" when value is null:
                    options = options with { RestartsDeadProcesses = false };
                    break;
                case ['-', '-', ..] when value is not null && name.Contains(':', StringComparison.Ordinal):
                    CommandLineSettings.Check(name);
                    settings[name[2..].Replace(":", "__", StringComparison.Ordinal)] = value;
                    break;
                default:
                    throw new StartupException($"'{args[i]}' is not understood, see --help.");
            }

            string Value() => value
                ?? (i + 1 < args.Count ? args[++i] : throw new StartupException($"{name} needs a value, see --help."));
        }

        return options with { Settings = settings };
    }

    private static int Number(string name, string text, int lowest, int highest) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= lowest && number <= highest
            ? number
            : throw new StartupException(string.Create(
                CultureInfo.InvariantCulture, $"{name} is '{text}'; it must be a whole number from {lowest} to {highest}."));
}
