using System.Globalization;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>
/// What interviews are: many groups of two, whose members are on different frontends. The backplane alone is what plain SignalR
/// is compared with, as both host the same hub and its plain groups; the marketplace's rooms do more, and are measured beside it.
/// </summary>
internal sealed class Pairs : IScenario<RealtimeOptions>
{
    private const int Members = 2;
    private const int TextLength = 100;

    public string Name => "pairs";

    public string Summary => "Groups of two that talk across frontends, from a send until the other one has it.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        var connections = options.Pairs * Members;
        var frontends = Math.Max(Members, options.Frontends);
        await using var rooms = await workbench.StartMarketplaceAsync(frontends, connections);
        await using var backplane = await workbench.StartBackplaneAsync(rooms, frontends, connections);
        await using var plain = await workbench.StartPlainSignalRAsync(connections);
        Contender[] contenders = [backplane, plain, rooms];
        foreach (var contender in contenders)
        {
            await contender.ConnectAsync(connections, options.AtOnce);
            var failed = await contender.Crowd.JoinAsync(Members);
            workbench.Progress(failed == 0
                ? $"{contender.Name}: connected and joined"
                : throw new StartupException($"{contender.Name} let {failed} connections into no room: the measurement is void."));
        }

        var measured = await workbench.InTurnAsync(contenders, contender => TalkAsync(contender, options));
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Pairs:N0} groups of two, {options.SendRate:N0} messages of {TextLength} characters a second in all, {options.Rounds} rounds of {options.Seconds} s "
            + $"after {options.WarmUps} for warming up. Nothing was missed, came twice or out of order."));
        section.Say("The backplane's processes host plain SignalR's hub and groups and share the marketplace's silo. The marketplace's rooms store every "
            + "message in PostgreSQL before they send it. The two of a group are always connected to different processes, but for plain SignalR, which is one.");
        section.Table(
            ["", "p50, ms", "p99, ms", "longest, ms", "p99 / plain SignalR"],
            contenders.Select(contender => new[]
            {
                contender.Name, Percentile(contender, 50).ToString("F2"), Percentile(contender, 99).ToString("F2"),
                Percentile(contender, 100).ToString("F2"), OverPlain(contender).ToString("F2"),
            }));
        section.AtMost("p99 of the backplane alone / plain SignalR", 2, OverPlain(backplane));

        Series OverPlain(Contender contender) => Percentile(contender, 99).Over(Percentile(plain, 99));

        Series Percentile(Contender contender, double percent) =>
            new(measured[contender].Select(delivery => delivery.Milliseconds(percent)));
    }

    private static async Task<Distribution> TalkAsync(Contender contender, RealtimeOptions options)
    {
        await contender.Crowd.ReportAsync(forgets: true);
        await contender.Crowd.SendAsync(Members, Members, options.SendRate, options.Seconds, TextLength);
        await contender.Crowd.SettleAsync();
        var report = await contender.Crowd.ReportAsync(forgets: false);
        return report.IsFaultless && report.Sent > 0 && report.Delivered == report.Sent && report.Echoed == report.Sent && report.Answered == report.Sent
            ? report.Delivery
            : throw new StartupException(
                $"{contender.Name}: of {report.Sent} messages {report.Delivered} came to the other and {report.Answered} were acknowledged; "
                + $"{Contender.Describe(report)}: the measurement is void.");
    }
}
