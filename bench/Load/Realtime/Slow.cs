using System.Globalization;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>Somebody in the room stops reading: the others must not notice, and the server must not keep what piles up.</summary>
internal sealed class Slow : IScenario<RealtimeOptions>
{
    private const int Senders = 10;
    private const int MessagesPerSecond = 150; // below the 20 calls a second that each sender may make
    private const int TextLength = 2_000;
    private const int ReceiveBuffer = 4_096; // the system would take in megabytes for one that doesn't read
    private const int SlowOne = Senders + 1;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    public string Name => "slow";

    public string Summary => "One member of a room stops reading: what the others notice, and whether it is cut off.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        await using var ours = await workbench.StartMarketplaceAsync(options.Frontends, options.Members);
        var (all, rest, cut) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round <= options.Rounds; round++)
        {
            await ours.ConnectAsync(options.Members, options.AtOnce, ReceiveBuffer);
            if (await ours.Crowd.JoinAsync(roomSize: 0) > 0)
            {
                throw new StartupException("Not everyone was let into the lobby: the measurement is void.");
            }

            var with = await TalkAsync(ours, options);
            await ours.Crowd.PauseAsync(SlowOne, resumes: false);
            var without = await TalkAsync(ours, options);
            await ours.Crowd.PauseAsync(SlowOne, resumes: true);
            await Task.Delay(Settling, TimeProvider.System, workbench.Stopping);
            var end = await ours.Crowd.ReportAsync(forgets: true);
            await ours.Crowd.CloseAsync();
            await Task.Delay(Settling, TimeProvider.System, workbench.Stopping);
            workbench.Progress(string.Create(CultureInfo.InvariantCulture,
                $"{(round == 0 ? "warming up" : $"round {round} of {options.Rounds}")}: all read, {with.Delivery}; one doesn't, {without.Delivery}; "
                + $"it {(end.Lost == 1 ? "was cut off" : "was not cut off")}"));
            if (round > 0)
            {
                all.Add(with.Delivery.Milliseconds(99));
                rest.Add(without.Delivery.Milliseconds(99));
                cut.Add(end.Lost);
            }
        }

        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Members} members of one room, {MessagesPerSecond} messages of {TextLength:N0} characters a second from {Senders} of them to all; {options.Rounds} rounds "
            + $"after one for warming up, each {options.Seconds} s with everyone reading and {options.Seconds} s with one that doesn't."));
        section.Table(
            ["", "p99 of the others, ms"],
            [["everyone reads", new Series(all).ToString("F2")], ["one has stopped reading", new Series(rest).ToString("F2")]]);
        section.AtMost("p99 with / without", 1.2, new Series(rest).Over(new(all)));
        section.AtLeast("cut off", 1, new(cut), "F0");
    }

    private static async Task<CrowdReport> TalkAsync(Contender contender, RealtimeOptions options)
    {
        await contender.Crowd.ReportAsync(forgets: true);
        await contender.Crowd.SendAsync(roomSize: 0, Senders, MessagesPerSecond, options.Seconds, TextLength);
        await contender.Crowd.SettleAsync();
        var report = await contender.Crowd.ReportAsync(forgets: true);
        var others = (options.Members - 2) * report.Sent; // the slow one may or may not have some of them
        return report.IsFaultless && report.Failed == 0 && report.Delivered >= others
            ? report
            : throw new StartupException(
                $"{contender.Name}: {report.Sent} messages made {report.Delivered} deliveries, at least {others} were expected; {Contender.Describe(report)}: the measurement is void.");
    }
}
