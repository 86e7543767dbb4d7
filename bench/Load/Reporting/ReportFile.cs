using Marketplace.Bench.Load.Scenarios;

namespace Marketplace.Bench.Load.Reporting;

/// <summary>The report: a head and a section for each scenario, in their order; those that did not run now are kept.</summary>
internal static class ReportFile
{
    private const string Head = """
        # What the limiter costs

        `GET /api/v1/ping`, one frontend and one silo as processes of their own with a PostgreSQL that syncs to disk, the load
        generator on the same processor. Everything in a section was measured in turn in one run, each after rounds for warming up.
        Figures are medians of the rounds, with the least and the most in brackets; ratios are taken round by round. Read the
        ratios, since machines differ, and the spread, which says how far to trust them. Repeat it by `make bench-limits`, one
        section by `make bench-limits ARGS="--scenario warm"`. The peers are in [bench/peers](../peers).
        """;

    public static async Task WriteAsync(string path, Section section, IReadOnlyList<IScenario> scenarios)
    {
        var sections = await ReadAsync(path);
        sections[section.Heading] = section.Text;
        var text = string.Join('\n', scenarios.Select(Section.HeadingOf).Where(sections.ContainsKey).Select(heading => sections[heading]));
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await File.WriteAllTextAsync(path, $"{Head}\n\n{text}");
    }

    private static async Task<Dictionary<string, string>> ReadAsync(string path)
    {
        var sections = new Dictionary<string, string>(StringComparer.Ordinal);
        if (File.Exists(path))
        {
            var text = await File.ReadAllTextAsync(path);
            foreach (var part in text.Split("\n## ").Skip(1))
            {
                sections[$"## {part.Split('\n')[0]}"] = $"## {part.TrimEnd('\n')}\n";
            }
        }

        return sections;
    }
}
