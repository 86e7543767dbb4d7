using System.Globalization;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Driver.Workers;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Npgsql;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>kill -9 of a silo, of PostgreSQL and of a frontend while a crowd talks in rooms: who is back when, and what was missed.</summary>
internal sealed class Kill : IScenario<RealtimeOptions>
{
    private const int RoomSize = 10;
    private const int Senders = 1; // of each room
    private const int MessagesPerSecond = 200;
    private const int TextLength = 100;
    private const int Silos = 2;
    private const int Seconds = 45;

    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(60); // it is void past this
    private static readonly TimeSpan SlotsFreeAfter = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    public string Name => "kill";

    public string Summary => "kill -9 of a silo, PostgreSQL and a frontend while a crowd talks in rooms: who is back when, what is missed.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        var count = options.Connections / RoomSize * RoomSize;
        await using var ours = await workbench.StartMarketplaceAsync(options.Frontends, count, silos: Silos, returns: true);
        var cluster = ours.Target.Cluster!;
        await ours.ConnectAsync(count, options.AtOnce);
        if (await ours.Crowd.JoinAsync(RoomSize, options.AtOnce) is > 0 and var outside)
        {
            throw new StartupException($"{outside} of {count} were not let into their rooms: the measurement is void.");
        }

        List<Blow> blows =
        [
            await StrikeAsync("a silo", cluster.Silos[0].Kill, () => RestartAsync(cluster.Silos[0])),
            await StrikeAsync("PostgreSQL", () => _ = cluster.Postgres.KillAsync(), () => cluster.Postgres.RestartAsync(workbench.Stopping)),
            await StrikeAsync("a frontend", cluster.Frontends[0].Kill, revive: null),
        ];
        var slots = await SlotsAsync(cluster, frontend: null);
        var live = (await ours.Crowd.ReportAsync(forgets: false)).Live;

        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{count:N0} connections over {options.Frontends} frontends and {Silos} silos, in {count / RoomSize:N0} rooms of {RoomSize}; {MessagesPerSecond} messages a second for {Seconds} s "
            + $"around each kill. A silo and PostgreSQL are started again after the kill, the frontend is not: its clients come back by way of the others."));
        section.Table(
            ["kill -9 of", "connections lost", "back", "all back after, s", "sent", "acknowledged", "of these missed", "twice or out of order", "longest delivery, s"],
            blows.Select(blow => new[]
            {
                blow.Victim, Text(blow.Report.Lost), Text(blow.Report.Returned), blow.BackAfter.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture),
                Text(blow.Report.Sent), Text(blow.Report.Answered), Text(blow.Missed), Text(blow.Report.Repeated + blow.Report.Late),
                (blow.Report.Delivery.LongestMilliseconds / 1_000).ToString("F1", CultureInfo.InvariantCulture),
            }));
        section.AtMost("all are back after the frontend's end, s", 30, new([blows[^1].BackAfter.TotalSeconds]), "F1");
        section.AtMost("slots that the dead frontend still holds after 15 s", 0, new([blows[^1].SlotsLeft]), "F0");
        section.AtMost("connections lost with a silo or PostgreSQL", 0, new([blows[..^1].Sum(blow => blow.Report.Lost)]), "F0");
        section.AtMost("acknowledged messages missed", 0, new([blows.Sum(blow => blow.Missed)]), "F0");
        section.AtMost("messages handed over twice or out of order", 0, new([blows.Sum(blow => blow.Report.Repeated + blow.Report.Late)]), "F0");
        section.AtMost("slots more or less than connections in the end", 0, new([Math.Abs(slots - live)]), "F0");

        async Task<Blow> StrikeAsync(string victim, Action kill, Func<Task>? revive)
        {
            await ours.Crowd.ReportAsync(forgets: true);
            var talking = ours.Crowd.SendAsync(RoomSize, Senders, MessagesPerSecond, Seconds, TextLength);
            await Task.Delay(Calm, TimeProvider.System, workbench.Stopping);
            workbench.Progress($"kill -9 of {victim}");
            var killedAt = TimeProvider.System.GetTimestamp();
            kill();
            var freed = revive is null ? SlotsLeftAsync() : Task.FromResult(0L);
            if (revive is not null)
            {
                await revive();
            }

            var backAfter = await AllBackAsync(ours, count, killedAt);
            await talking;
            await ours.Crowd.SettleAsync();
            var report = await ours.Crowd.ReportAsync(forgets: false);
            var blow = new Blow(victim, report, backAfter, await MissedAsync(ours.Crowd, report), await freed);
            workbench.Progress(string.Create(CultureInfo.InvariantCulture,
                $"{report.Lost:N0} lost, all back after {backAfter.TotalSeconds:F1} s; {blow.Missed} acknowledged messages missed. {Contender.Describe(report)}"));
            return blow;
        }

        async Task<long> SlotsLeftAsync()
        {
            await Task.Delay(SlotsFreeAfter, TimeProvider.System, workbench.Stopping);
            return await SlotsAsync(cluster, cluster.Frontends[0].Name);
        }

        async Task RestartAsync(ManagedProcess process)
        {
            await process.WaitForExitAsync(workbench.Stopping);
            await process.StartAsync(workbench.Stopping);
        }
    }

    private static async Task<TimeSpan> AllBackAsync(Contender ours, int count, long killedAt)
    {
        while (true)
        {
            await Task.Delay(LookEvery, TimeProvider.System);
            var report = await ours.Crowd.ReportAsync(forgets: false);
            var elapsed = TimeProvider.System.GetElapsedTime(killedAt);
            if (report.Live == count && report.Returned >= report.Lost && elapsed > LookEvery * 5)
            {
                return report.Lost == 0 ? TimeSpan.Zero : elapsed;
            }

            if (elapsed > BackWithin)
            {
                throw new StartupException(
                    $"{report.Live} of {count} connections live {BackWithin.TotalSeconds:F0} s after the kill; {Contender.Describe(report)}: the measurement is void.");
            }
        }
    }

    /// <summary>
    /// Acknowledged messages that somebody who should have got them did not get. Who jumped over a number says so; who never heard
    /// of the last ones doesn't, which shows in the sum.
    /// </summary>
    private static async Task<long> MissedAsync(Fleet crowd, CrowdReport report)
    {
        var account = await crowd.AccountAsync();
        var unanswered = account.Unanswered.Select(sent => (sent[0], sent[1])).ToHashSet();
        var jumped = account.Missed.Count(missed => !unanswered.Contains((missed[1], missed[2])));
        return Math.Max(jumped, (report.Answered * (RoomSize - 1)) - report.Delivered);
    }

    /// <summary>Slots under living leases, as operators see them.</summary>
    private static async Task<long> SlotsAsync(LocalCluster cluster, string? frontend)
    {
        await using var source = NpgsqlDataSource.Create(cluster.Postgres.ConnectionString);
        await using var command = source.CreateCommand("SELECT count(*) FROM connection_slots WHERE frontend = $1 OR $1 IS NULL");
        command.Parameters.Add(new() { Value = (object?)frontend ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text });
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static string Text(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private sealed record Blow(string Victim, CrowdReport Report, TimeSpan BackAfter, long Missed, long SlotsLeft);
}
