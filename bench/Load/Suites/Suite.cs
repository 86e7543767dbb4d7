using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Suites;

/// <summary>Scenarios that share options and a report.</summary>
/// <param name="usage">The head of its help, above the list of scenarios.</param>
/// <param name="head">The head of its report.</param>
/// <param name="parse">Reads the command line, given the names of the scenarios.</param>
/// <param name="scenarios">In the order of the report.</param>
internal sealed class Suite<TOptions>(
    string usage,
    string head,
    Func<IReadOnlyList<string>, IReadOnlyCollection<string>, TOptions> parse,
    IReadOnlyList<IScenario<TOptions>> scenarios)
    where TOptions : ISuiteOptions
{
    public async Task<int> RunAsync(IReadOnlyList<string> args, CancellationToken stopping)
    {
        if (args.Any(arg => arg is "--help" or "-h"))
        {
            Console.WriteLine(usage);
            foreach (var scenario in scenarios)
            {
                Console.WriteLine($"  {scenario.Name,-10}{scenario.Summary}");
            }

            return 0;
        }

        var options = parse(args, [.. scenarios.Select(scenario => scenario.Name)]);
        foreach (var scenario in scenarios.Where(scenario => options.Runs(scenario.Name)))
        {
            Console.WriteLine($"== {scenario.Name}: {scenario.Summary}");
            var section = new Section(scenario);
            section.Machine(await Machine.DescribeAsync(stopping)); // first: what is started next makes it busy
            await using (var workbench = new Workbench<TOptions>(options, stopping))
            {
                await scenario.RunAsync(workbench, section);
            }

            Console.WriteLine(section.Text);
            await ReportFile.WriteAsync(options.Results, head, section, scenarios);
            Console.WriteLine($"Written to {options.Results}");
        }

        return 0;
    }
}
