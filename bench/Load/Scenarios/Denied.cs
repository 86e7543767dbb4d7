using System.Diagnostics;
using System.Globalization;
using System.Net;
using Marketplace.Bench.AspNet;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>The flood: every address has used its window up, and all that remains to be done is to say no.</summary>
internal sealed class Denied : IScenario<BenchOptions>
{
    private const int Limit = 1;
    private const string Problem = "application/problem+json";
    private static readonly TimeSpan Window = TimeSpan.FromDays(1); // longer than any run

    public string Name => "denied";

    public string Summary => "Addresses that have used up their limit: what a refusal costs, against the in-process limiter.";

    public async Task RunAsync(Workbench<BenchOptions> workbench, Section section)
    {
        var ours = await workbench.StartMarketplaceAsync("marketplace", MarketplaceSettings.General(Limit, Window));
        var bare = await workbench.StartAspNetAsync("in-process limiter, empty body", InProcess(RefusalBody.Empty));
        var equal = await workbench.StartAspNetAsync("in-process limiter, the same answer", InProcess(RefusalBody.Bytes));
        var usual = await workbench.StartAspNetAsync("in-process limiter, the same by ASP.NET Core's writer", InProcess(RefusalBody.Problem));
        Target[] targets = [ours, bare, equal, usual];
        var siloBefore = TimeSpan.Zero;
        var siloPerRefusal = new List<double>();
        var rounds = new Rounds(workbench, targets, workbench.Options.Addresses)
        {
            ExpectsRefusals = true,
            Before = _ =>
            {
                siloBefore = SiloTime(ours);
                return Task.CompletedTask;
            },
            After = (target, measurement) =>
            {
                if (target == ours)
                {
                    siloPerRefusal.Add((SiloTime(ours) - siloBefore).TotalMicroseconds / measurement.Requests);
                }
            },
        };
        await rounds.IntroduceAsync(); // which uses the limit up
        foreach (var target in targets)
        {
            await target.CheckAsync(
                HttpStatusCode.TooManyRequests, target == bare ? null : Problem, "10.1.0.0", workbench.Stopping);
        }

        await equal.CheckAnswersLikeAsync(ours, "10.1.0.0", workbench.Stopping);

        var outcomes = await rounds.RunAsync();
        var options = workbench.Options;
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"wrk, {options.Connections} connections, {options.Addresses:N0} client addresses in turn, {options.Rounds} rounds of {options.Seconds} s; "
            + $"the limit is {Limit} in a day and used up beforehand, so that all are refused."));
        section.Table(
            ["", "refusals/s", "p99, ms", "marketplace / this"],
            outcomes.Select(outcome => new[]
            {
                outcome.Target.Name, outcome.RequestsPerSecond.ToString("F0"), outcome.P99.ToString("F2"), Ratio(outcome).ToString("F2"),
            }));
        section.Say(
            $"The silo spent {new Series(siloPerRefusal.Skip(Rounds.WarmUps)).ToString("F2")} µs of processor time per refusal, what it does when idle "
            + "included; a grain call takes it tens of microseconds.");
        section.AtLeast("refusals / in-process limiter, empty body", 0.95, Ratio(outcomes[1]));
        section.AtLeast("refusals / in-process limiter, the same answer", 0.95, Ratio(outcomes[2]));

        Series Ratio(Outcome other) => outcomes[0].RequestsPerSecond.Over(other.RequestsPerSecond);
    }

    private static PeerSettings InProcess(RefusalBody body) =>
        new() { Limiter = LimiterKind.InProcess, Refusal = body, Limit = Limit, Window = Window };

    private static TimeSpan SiloTime(Target target)
    {
        using var silo = Process.GetProcessById(target.Cluster!.Silos[0].Pid);
        return silo.TotalProcessorTime;
    }
}
