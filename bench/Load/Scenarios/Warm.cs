using System.Globalization;
using System.Net;
using Marketplace.Bench.AspNet;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>The usual case: addresses that have been seen before, and limits that nobody reaches.</summary>
internal sealed class Warm : IScenario<BenchOptions>
{
    private const int Limit = 1_000_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    public string Name => "warm";

    public string Summary => "Known addresses within their limits, against the limiter switched off and against the peers.";

    public async Task RunAsync(Workbench<BenchOptions> workbench, Section section)
    {
        var ours = await workbench.StartMarketplaceAsync("marketplace", MarketplaceSettings.General(Limit, Window));
        var off = await workbench.StartMarketplaceAsync("marketplace, limiter off", MarketplaceSettings.LimiterOff);
        var plain = await workbench.StartAspNetAsync("plain ASP.NET Core", new());
        var inProcess = await workbench.StartAspNetAsync(
            "ASP.NET Core, in-process limiter", new() { Limiter = LimiterKind.InProcess, Limit = Limit, Window = Window });
        var node = await workbench.StartNodeAsync("Node × 2, Express, Redis", Limit, Window);
        Target[] targets = [ours, off, plain, inProcess, node];
        foreach (var target in targets)
        {
            await target.CheckAsync(HttpStatusCode.OK, "text/plain", "192.0.2.1", workbench.Stopping);
        }

        var rounds = new Rounds(workbench, targets, workbench.Options.Addresses);
        await rounds.IntroduceAsync();
        var outcomes = await rounds.RunAsync();
        var options = workbench.Options;
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"wrk, {options.Connections} connections, {options.Addresses:N0} client addresses in turn, {options.Rounds} rounds of {options.Seconds} s; "
            + $"the limit is {Limit:N0} in {Window.TotalMinutes} min, so that all are admitted."));
        section.Table(
            ["", "requests/s", "p99, ms", "marketplace / this"],
            outcomes.Select(outcome => new[]
            {
                outcome.Target.Name, outcome.RequestsPerSecond.ToString("F0"), outcome.P99.ToString("F2"), Ratio(outcome).ToString("F2"),
            }));
        section.AtLeast("throughput / limiter off", 0.90, Ratio(outcomes[1]));
        section.AtMost("p99 / limiter off", 1.25, outcomes[0].P99.Over(outcomes[1].P99));
        section.AtLeast("throughput / in-process limiter", 0.90, Ratio(outcomes[3]));
        section.AtLeast("throughput / Node on Redis", 5, Ratio(outcomes[4]));

        Series Ratio(Outcome other) => outcomes[0].RequestsPerSecond.Over(other.RequestsPerSecond);
    }
}
