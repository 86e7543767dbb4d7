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
        var (all, others, cut) = (new List<double>(), new List<double>(), new List<double>());
        for (var turn = 0; turn < options.WarmUps + options.Rounds; turn++)
        {
            var round = turn - options.WarmUps + 1;
            for (var i = 0; i < 2; i++)
            {
                var isSlow = (turn + i) % 2 == 1; // neither always follows the other
                var (delivery, lost) = await TalkAsync(ours, options, isSlow);
                await Task.Delay(Settling, TimeProvider.System, workbench.Stopping);
                workbench.Progress(string.Create(CultureInfo.InvariantCulture,
                    $"{(round <= 0 ? "warming up" : $"round {round} of {options.Rounds}")}, {(isSlow ? $"one doesn't read, cut off: {lost}" : "all read")}: {delivery}"));
                if (round > 0)
                {
                    (isSlow ? others : all).Add(delivery.Milliseconds(99));
                    (isSlow ? cut : []).Add(lost);
                }
            }
        }

        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Members} members of one room, {MessagesPerSecond} messages of {TextLength:N0} characters a second from {Senders} of them to all; {options.Rounds} rounds "
            + $"after {options.WarmUps} for warming up, each {options.Seconds} s with everyone reading and {options.Seconds} s with one that doesn't."));
        section.Table(
            ["", "p99 of the others, ms"],
            [["everyone reads", new Series(all).ToString("F2")], ["one has stopped reading", new Series(others).ToString("F2")]]);
        section.AtMost("p99 with / without", 1.2, new Series(others).Over(new(all)));
        section.AtLeast("cut off", 1, new(cut), "F0");
    }

    /// <summary>Lets a new crowd talk; returns what the readers noticed, and how many connections the server ended.</summary>
    private static async Task<(Distribution Delivery, long Lost)> TalkAsync(Contender ours, RealtimeOptions options, bool isSlow)
    {
        await ours.ConnectAsync(options.Members, options.AtOnce, ReceiveBuffer);
        if (await ours.Crowd.JoinAsync(roomSize: 0) > 0)
        {
            throw new StartupException("Not everyone was let into the lobby: the measurement is void.");
        }

        await ours.Crowd.ReportAsync(forgets: true);
        if (isSlow)
        {
            await ours.Crowd.PauseAsync(SlowOne, resumes: false);
        }

        await ours.Crowd.SendAsync(roomSize: 0, Senders, MessagesPerSecond, options.Seconds, TextLength);
        await ours.Crowd.SettleAsync();
        var report = await ours.Crowd.ReportAsync(forgets: true);
        var least = (options.Members - (isSlow ? 2 : 1)) * report.Sent; // the slow one may have some of them
        if (!report.IsFaultless || report.Failed > 0 || report.Delivered < least)
        {
            throw new StartupException(
                $"{ours.Name}: {report.Sent} messages made {report.Delivered} deliveries, at least {least} were expected; {Contender.Describe(report)}: the measurement is void.");
        }

        // Only one that reads again learns that it was cut off; one that wasn't catches up instead.
        await ours.Crowd.PauseAsync(SlowOne, resumes: true);
        await ours.Crowd.SettleAsync();
        var lost = (await ours.Crowd.ReportAsync(forgets: true)).Lost;
        await ours.Crowd.CloseAsync();
        return (report.Delivery, lost);
    }
}
