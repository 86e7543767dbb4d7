using System.Globalization;
using System.Net;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>All requests come from one address, so that all meet in one bucket.</summary>
internal sealed class Hot : IScenario<BenchOptions>
{
    private const int Limit = 1_000_000;
    private const int SecondsMax = 10; // at more the load itself would reach the limit
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private readonly Queue<(long At, long Requests)> _spent = [];

    public string Name => "hot";

    public string Summary => "One address at 1,000,000 a minute, against the limiter switched off.";

    public async Task RunAsync(Workbench<BenchOptions> workbench, Section section)
    {
        var ours = await workbench.StartMarketplaceAsync("marketplace", MarketplaceSettings.General(Limit, Window));
        var off = await workbench.StartMarketplaceAsync("marketplace, limiter off", MarketplaceSettings.LimiterOff);
        foreach (var target in (Target[])[ours, off])
        {
            await target.CheckAsync(HttpStatusCode.OK, "text/plain", "192.0.2.1", workbench.Stopping);
        }

        var rounds = new Rounds(workbench, [ours, off], addresses: 1)
        {
            Seconds = Math.Min(SecondsMax, workbench.Options.Seconds),
            Before = target => target == ours ? WaitForPermitsAsync(workbench) : Task.CompletedTask,
            After = (target, measurement) =>
            {
                if (target == ours)
                {
                    _spent.Enqueue((TimeProvider.System.GetTimestamp(), measurement.Requests));
                }
            },
        };
        var outcomes = await rounds.RunAsync();
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"wrk, {workbench.Options.Connections} connections, one client address, {workbench.Options.Rounds} rounds of {rounds.Seconds} s, "
            + $"spaced so that no minute sees more than the limit."));
        section.Table(
            ["", "requests/s", "p99, ms"],
            outcomes.Select(outcome => new[] { outcome.Target.Name, outcome.RequestsPerSecond.ToString("F0"), outcome.P99.ToString("F2") }));
        section.AtLeast("throughput / limiter off", 0.85, outcomes[0].RequestsPerSecond.Over(outcomes[1].RequestsPerSecond));
    }

    /// <summary>
    /// Waits until another run surely fits into the limit: what one window counts lies within one window's length, so what
    /// was asked within the last one, and as much again as half above the largest run, may be at most the limit.
    /// </summary>
    private async Task WaitForPermitsAsync(Workbench workbench)
    {
        var clock = TimeProvider.System;
        var announced = false;
        while (_spent.Sum(run => run.Requests) + (_spent.Select(run => run.Requests).DefaultIfEmpty().Max() * 3 / 2) > Limit)
        {
            if (!announced)
            {
                workbench.Progress("waiting until another run fits into the limit");
                announced = true;
            }

            await Task.Delay(PollInterval, clock, workbench.Stopping);
            while (_spent.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > Window)
            {
                _spent.Dequeue();
            }
        }
    }
}
