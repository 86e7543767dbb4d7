using System.Globalization;
using System.Net;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>More addresses than any table should hold: what matters is that memory stays within its bound.</summary>
internal sealed class Million : IScenario<BenchOptions>
{
    public string Name => "million";

    public string Summary => "A million addresses, one request each: memory of silo and frontend.";

    public async Task RunAsync(Workbench<BenchOptions> workbench, Section section)
    {
        var options = workbench.Options;
        var ours = await workbench.StartMarketplaceAsync("marketplace", MarketplaceSettings.Defaults);
        await ours.CheckAsync(HttpStatusCode.OK, "text/plain", "192.0.2.1", workbench.Stopping);
        var (silo, frontend) = (ours.Cluster!.Silos[0].Pid, ours.Cluster.Frontends[0].Pid);
        var (siloBefore, frontendBefore) = (ResidentMemory.Of(silo), ResidentMemory.Of(frontend));

        OnceEachResult result;
        IReadOnlyList<double> peaks;
        await using (var memory = new ResidentMemory(silo, frontend))
        {
            result = await OnceEach.RunAsync(
                ours.Ping,
                first: 0,
                options.Million,
                options.Connections,
                answered => workbench.Progress(string.Create(CultureInfo.InvariantCulture,
                    $"{answered:N0} answered, silo {ResidentMemory.Of(silo):F0} MB, frontend {ResidentMemory.Of(frontend):F0} MB")),
                workbench.Stopping);
            peaks = memory.Peaks;
        }

        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{result.Requests:N0} new client addresses, one request each over {options.Connections} connections, one run, default settings; resident "
            + $"memory sampled every second. {result.Admitted:N0} were answered with 200, at {result.PerSecond:F0}/s over {result.Seconds:F0} s, "
            + $"p99 {result.P99Milliseconds:F1} ms."));
        section.Table(
            ["", "before, MB", "peak, MB", "after, MB", "stated bound, MB"],
            [
                ["silo", Number(siloBefore), Number(peaks[0]), Number(ResidentMemory.Of(silo)), Number(options.SiloMemory)],
                ["frontend", Number(frontendBefore), Number(peaks[1]), Number(ResidentMemory.Of(frontend)), Number(options.FrontendMemory)],
            ]);
        section.AtLeast("answered with 200", result.Requests, new([result.Admitted]), "F0");
        section.AtMost("silo's peak, MB", options.SiloMemory, new([peaks[0]]), "F0");
        section.AtMost("frontend's peak, MB", options.FrontendMemory, new([peaks[1]]), "F0");
    }

    private static string Number(double number) => number.ToString("F0", CultureInfo.InvariantCulture);
}
