using System.Globalization;
using Marketplace.Bench.Load.Driver.Workers;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>As many connections as a machine can hold, held with their keep-alives; then one message to all.</summary>
internal sealed class Hold : IScenario<RealtimeOptions>
{
    /// <summary>Connections of one frontend: below the 20,000 open files that a process often may have.</summary>
    private const int ConnectionsPerFrontend = 18_000;

    public string Name => "hold";

    public string Summary => "A great many connections held, at the cap, with keep-alives; then one message to all of them.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        var count = options.HoldConnections;
        var frontends = Math.Max(options.Frontends, (count + ConnectionsPerFrontend - 1) / ConnectionsPerFrontend);
        await using var ours = await workbench.StartMarketplaceAsync(frontends, count);
        var cluster = ours.Target.Cluster!;
        var processes = cluster.Frontends.Concat(cluster.Silos).Select(process => (process.Name, process.Pid))
            .Concat(ours.Crowd.Pids.Select((pid, i) => (Name: $"driver-{Text(i + 1, "F0")}", Pid: pid))).ToList();
        var pids = processes.Select(process => process.Pid).ToList();
        var progress = new Progress(ours.Crowd, Console.Out, workbench.Stopping);

        var connecting = new ProcessorTime(pids);
        var opening = ours.Crowd.OpenAsync(count, atOnce: options.AtOnce);
        await progress.WatchAsync("connecting", opening);
        var perSecond = count / await opening;
        var opened = await ours.Crowd.ReportAsync(forgets: false);
        var connectingShares = connecting.Shares();

        var holding = new ProcessorTime(pids);
        await progress.WatchAsync("holding", Task.Delay(TimeSpan.FromSeconds(options.HoldSeconds), TimeProvider.System, workbench.Stopping));
        var shares = holding.Shares();
        var memory = pids.Select(ResidentMemory.Of).ToList();
        var held = await ours.Crowd.ReportAsync(forgets: true);

        await ours.Crowd.OpenAsync(frontends);
        var refused = (await ours.Crowd.ReportAsync(forgets: true)).RefusedAtTotal;
        var last = await ours.BroadcastAsync();

        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{opened.Opened:N0} of {count:N0} connections were admitted, {perSecond:F0}/s; held for {options.HoldSeconds:N0} s, after which {held.Live:N0} lived and "
            + $"{held.Lost:N0} had been lost. {Contender.Describe(held)}. A broadcast had reached the last of them after {last:F0} ms. The cap is {count:N0}."));
        section.Table(
            ["", "resident, MB", "cores while connecting", "cores while holding"],
            processes.Select((process, i) => new[]
            {
                process.Name, Text(memory[i], "F0"), Text(connectingShares[i], "F2"), Text(shares[i], "F3"),
            }).Append(["all", Text(memory.Sum(), "F0"), Text(connectingShares.Sum(), "F2"), Text(shares.Sum(), "F3")]));
        section.AtLeast("held to the end", count, new([held.Live]), "F0");
        section.AtLeast("tries past the cap refused with 503, at each frontend", frontends, new([refused]), "F0");
    }

    private static string Text(double number, string format) => number.ToString(format, CultureInfo.InvariantCulture);
}
