using System.Globalization;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>One message to everybody, until the last one has it.</summary>
internal sealed class Broadcast : IScenario<RealtimeOptions>
{
    public string Name => "broadcast";

    public string Summary => "One message to everybody connected, until the last one has it.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        await using var ours = await workbench.StartMarketplaceAsync(options.Frontends, options.Connections);
        await using var plain = await workbench.StartPlainSignalRAsync(options.Connections);
        await using var socketIo = await workbench.StartSocketIoAsync(options.Connections);
        Contender[] contenders = [ours, plain, socketIo];
        foreach (var contender in contenders)
        {
            var rate = await contender.ConnectAsync(options.Connections, options.AtOnce);
            workbench.Progress(string.Create(CultureInfo.InvariantCulture, $"{contender.Name}: connected, {rate:F0}/s"));
        }

        var measured = await workbench.InTurnAsync(contenders, contender => MeasureAsync(contender, options.Broadcasts));
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Connections:N0} connections each, all held at the same time. A round is the median of {options.Broadcasts} broadcasts, each from the "
            + $"request until the last of the connections has it; {options.Rounds} rounds after {options.WarmUps} for warming up. Everyone got every one, once."));
        var series = contenders.Select(contender => new Series(measured[contender])).ToList();
        section.Table(
            ["", "last delivery, ms", "marketplace / this"],
            contenders.Select((contender, i) => new[]
            {
                contender.Name, series[i].ToString("F1"), series[0].Over(series[i]).ToString("F2"),
            }));
        section.AtMost("last delivery / plain SignalR", 1.5, series[0].Over(series[1]));
        section.AtMost("last delivery / Socket.IO on Redis", 1, series[0].Over(series[2]));
    }

    private static async Task<double> MeasureAsync(Contender contender, int broadcasts)
    {
        var last = new List<double>();
        for (var i = 0; i < broadcasts; i++)
        {
            last.Add(await contender.BroadcastAsync());
        }

        return new Series(last).Median;
    }
}
