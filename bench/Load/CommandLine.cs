using System.Globalization;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load;

/// <summary>Reads options of the form <c>--name value</c>, one after the other.</summary>
internal sealed class CommandLine(IReadOnlyList<string> args)
{
    private string _name = "";
    private int _next;

    /// <summary>The next option's name; its value is asked for by one of the methods below.</summary>
    public bool TryTake(out string name)
    {
        var has = _next < args.Count;
        name = _name = has ? args[_next++] : "";
        return has;
    }

    /// <exception cref="StartupException">There is none.</exception>
    public string Text() => _next < args.Count ? args[_next++] : throw new StartupException($"{_name} needs a value; see --help.");

    /// <exception cref="StartupException">There is none, or it is no such number.</exception>
    public int Number(int least, int most)
    {
        var text = Text();
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new StartupException(string.Create(
                CultureInfo.InvariantCulture, $"{_name} is '{text}'; it must be a whole number from {least} to {most}."));
    }

    /// <exception cref="StartupException">There is none, or it is not one of them.</exception>
    public string OneOf(IReadOnlyCollection<string> values)
    {
        var text = Text();
        return values.Contains(text)
            ? text
            : throw new StartupException($"{_name} is '{text}'; it must be one of {string.Join(", ", values)}.");
    }

    public StartupException Unknown() => new($"{_name} is not an option; see --help.");
}
