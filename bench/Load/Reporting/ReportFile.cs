using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load.Reporting;

/// <summary>The report: a head and a section for each scenario, in their order; those that did not run now are kept.</summary>
internal static class ReportFile
{
    public static async Task WriteAsync(string path, string head, Section section, IReadOnlyList<IScenario> scenarios)
    {
        var sections = await ReadAsync(path);
        sections[section.Heading] = section.Text;
        var text = string.Join('\n', scenarios.Select(Section.HeadingOf).Where(sections.ContainsKey).Select(heading => sections[heading]));
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        await File.WriteAllTextAsync(path, $"{head}\n\n{text}");
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
