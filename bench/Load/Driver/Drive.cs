using System.Globalization;
using Marketplace.Bench.Load.Driver.Workers;

namespace Marketplace.Bench.Load.Driver;

/// <summary>The command <c>drive</c>: connects, joins, talks, holds, and sums up.</summary>
internal static class Drive
{
    public static async Task<int> RunAsync(IReadOnlyList<string> args, CancellationToken stopping)
    {
        if (args.Any(arg => arg is "--help" or "-h"))
        {
            Console.WriteLine(DriveOptions.Usage);
            return 0;
        }

        var options = DriveOptions.Parse(args);
        await using var fleet = await Fleet.StartAsync(await options.ToPlanAsync(stopping), stopping);
        var progress = new Progress(fleet, Console.Out, stopping);
        var startedAt = TimeProvider.System.GetTimestamp();
        await progress.WatchAsync("connecting", fleet.OpenAsync(options.Connections, options.Rate, options.AtOnce));
        var seconds = TimeProvider.System.GetElapsedTime(startedAt).TotalSeconds;
        if (options.Join != "none")
        {
            var joining = fleet.JoinAsync(options.RoomSize, options.AtOnce);
            await progress.WatchAsync("joining", joining);
            await Console.Out.WriteLineAsync($"not let into a room: {await joining}");
        }

        if (options.SendRate > 0)
        {
            await progress.WatchAsync(
                "talking",
                fleet.SendAsync(options.RoomSize, options.Senders, options.SendRate, options.Seconds, options.TextLength));
            await fleet.SettleAsync();
        }

        await progress.WatchAsync("holding", Task.Delay(TimeSpan.FromSeconds(options.Hold), TimeProvider.System, stopping));
        var report = await fleet.ReportAsync(forgets: false);
        var account = await fleet.AccountAsync();
        await fleet.CloseAsync();
        Console.WriteLine(Summary(report, account, seconds));
        return report.IsFaultless && report.Lost <= report.Returned ? 0 : 1;
    }

    private static string Summary(CrowdReport report, CrowdAccount account, double seconds)
    {
        var unanswered = account.Unanswered.Select(sent => (sent[0], sent[1])).ToHashSet();
        var acknowledgedMissed = account.Missed.Count(missed => !unanswered.Contains((missed[1], missed[2])));
        (string What, string Value)[] rows =
        [
            ("connected", string.Create(CultureInfo.InvariantCulture, $"{report.Opened:N0}, {report.Opened / seconds:F0}/s")),
            ("refused", report.Refusals),
            ("broken while connecting", Text(report.Broken)),
            ("live in the end", Text(report.Live)),
            ("lost, back, told to reload", $"{Text(report.Lost)}, {Text(report.Returned)}, {Text(report.Reloaded)}"),
            ("messages sent", Text(report.Sent)),
            ("acknowledged, refused", $"{Text(report.Answered)}, {Text(report.Failed)}"),
            ("delivered to others", Text(report.Delivered)),
            ("missed, of these acknowledged", $"{Text(report.Missed)}, {Text(acknowledgedMissed)}"),
            ("repeated, out of order", $"{Text(report.Repeated)}, {Text(report.Late)}"),
            ("time to connect", report.Connecting.ToString()),
            ("time to deliver", report.Delivery.ToString()),
            ("time to acknowledge", report.Answering.ToString()),
            ("time until back", report.Returning.ToString()),
        ];
        return string.Join('\n', rows.Select(row => $"{row.What,-31}{row.Value}"));
    }

    private static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
