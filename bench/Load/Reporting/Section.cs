using System.Globalization;
using System.Text;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Suites;

namespace Marketplace.Bench.Load.Reporting;

/// <summary>One scenario's part of the report, in Markdown.</summary>
internal sealed class Section(IScenario scenario)
{
    private readonly StringBuilder _text = new($"{HeadingOf(scenario)}\n{scenario.Summary}\n");
    private readonly StringBuilder _bars = new();

    public string Heading { get; } = HeadingOf(scenario);

    public string Text => _bars.Length == 0
        ? _text.ToString()
        : $"{_text}\n| asked for | | measured | |\n|---|---:|---:|---|\n{_bars}";

    public static string HeadingOf(IScenario scenario) => $"## {scenario.Name}";

    public void Machine(string description) => Say($"On {description}.");

    public void Say(string paragraph) => _text.Append('\n').Append(paragraph).Append('\n');

    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        _text.Append('\n');
        Row(_text, columns);
        Row(_text, columns.Select((_, i) => i == 0 ? "---" : "---:"));
        foreach (var row in rows)
        {
            Row(_text, row);
        }
    }

    /// <summary>States what was asked for beside what was measured.</summary>
    public void AtLeast(string what, double bar, Series measured, string format = "F2") =>
        Bar(what, $"≥ {Number(bar)}", measured.ToString(format), measured.Median >= bar);

    /// <inheritdoc cref="AtLeast"/>
    public void AtMost(string what, double bar, Series measured, string format = "F2") =>
        Bar(what, $"≤ {Number(bar)}", measured.ToString(format), measured.Median <= bar);

    private void Bar(string what, string bar, string measured, bool met) =>
        Row(_bars, [what, bar, measured, met ? "met" : "**missed**"]);

    private static void Row(StringBuilder text, IEnumerable<string> cells) =>
        text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    private static string Number(double number) => number.ToString("#,0.###", CultureInfo.InvariantCulture);
}
