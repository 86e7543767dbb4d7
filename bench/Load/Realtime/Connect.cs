using System.Globalization;
using Marketplace.Bench.Load.Measuring;
using Marketplace.Bench.Load.Reporting;
using Marketplace.Bench.Load.Suites;
using Marketplace.Bench.Load.Targets;

namespace Marketplace.Bench.Load.Realtime;

/// <summary>What a connection costs: to open it under the caps, and to keep it.</summary>
internal sealed class Connect : IScenario<RealtimeOptions>
{
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(4);

    public string Name => "connect";

    public string Summary => "Connections as fast as they are admitted, up to the cap and one more, and the heap of one that idles.";

    public async Task RunAsync(Workbench<RealtimeOptions> workbench, Section section)
    {
        var options = workbench.Options;
        await using var ours = await workbench.StartMarketplaceAsync(options.Frontends, options.Connections, attempts: 1);
        await using var plain = await workbench.StartPlainSignalRAsync(options.Connections);
        await using var plains = await workbench.StartPlainSignalRAsync(options.Connections, options.Frontends);
        Contender[] contenders = [ours, plain, plains];
        var measured = await workbench.InTurnAsync(contenders, contender => MeasureAsync(workbench, contender));
        section.Say(string.Create(CultureInfo.InvariantCulture,
            $"{options.Connections:N0} connections a round by WebSocket, {options.AtOnce} handshakes at once, with access tokens that are checked alike, "
            + $"five connections a user; {options.Rounds} rounds after {options.WarmUps} for warming up. One silo. The heap is what is alive after a full "
            + $"collection, less what was alive before the round, over all processes that hold connections."));
        section.Table(
            ["", "connections/s", "p99 of a connect, ms", "processor per connect, ms: servers", "silo", "clients", "bytes of heap per idle connection"],
            contenders.Select(contender => new[]
            {
                contender.Name,
                Of(contender, round => round.PerSecond).ToString("F0"),
                Of(contender, round => round.P99Milliseconds).ToString("F1"),
                Of(contender, round => round.Servers).ToString("F2"),
                Of(contender, round => round.Silos).ToString("F2"),
                Of(contender, round => round.Clients).ToString("F2"),
                Of(contender, round => round.Heap).ToString("F0"),
            }));
        section.Say($"The silo, which keeps the counters, has {Of(ours, round => round.SiloHeap).ToString("F0")} bytes more of heap per connection.");
        section.AtLeast("admitted, every round", options.Connections, new([options.Connections]), "F0"); // else it would be void
        section.AtLeast(
            "refused with 503 past the cap, one more at each frontend", options.Frontends, Of(ours, round => round.Refused), "F0");
        section.AtLeast(
            "connect rate / plain SignalR, one process", 0.75, Of(ours, round => round.PerSecond).Over(Of(plain, round => round.PerSecond)));
        section.AtLeast(
            $"connect rate / {plains.Name}", 0.75, Of(ours, round => round.PerSecond).Over(Of(plains, round => round.PerSecond)));
        section.AtMost("heap per connection / plain SignalR", 1.25, Of(ours, round => round.Heap).Over(Of(plain, round => round.Heap)));

        Series Of(Contender contender, Func<Round, double> value) => new(measured[contender].Select(value));
    }

    private static async Task<Round> MeasureAsync(Workbench<RealtimeOptions> workbench, Contender contender)
    {
        var options = workbench.Options;
        var servers = contender.Target.Servers.Select(server => server.Pid).ToList();
        var silos = contender.Target.Cluster?.Silos.Select(silo => silo.Pid).ToList() ?? [];
        var (before, silosBefore) = (await BytesAsync(servers), await BytesAsync(silos));
        var processes = new[] { servers, silos, contender.Crowd.Pids }.Select(pids => new ProcessorTime([.. pids])).ToList();
        var perSecond = await contender.ConnectAsync(options.Connections, options.AtOnce);
        var used = processes.ConvertAll(process => process.Seconds().Sum() * 1_000 / options.Connections);
        var times = (await contender.Crowd.ReportAsync(forgets: true)).Connecting;
        await Task.Delay(Settling, TimeProvider.System, workbench.Stopping);
        var (after, silosAfter) = (await BytesAsync(servers), await BytesAsync(silos));
        if (contender.Target.Cluster is not null)
        {
            await contender.Crowd.OpenAsync(servers.Count); // one too many, by way of every frontend
        }

        var refused = (await contender.Crowd.ReportAsync(forgets: true)).RefusedAtTotal;
        await contender.Crowd.CloseAsync();
        await Task.Delay(Settling, TimeProvider.System, workbench.Stopping);
        return new(
            perSecond,
            times.Milliseconds(99),
            used[0],
            used[1],
            used[2],
            (after - before) / options.Connections,
            (silosAfter - silosBefore) / options.Connections,
            refused);

        async Task<double> BytesAsync(IEnumerable<int> processes)
        {
            var bytes = 0.0;
            foreach (var process in processes)
            {
                bytes += await HeapProbe.LiveBytesAsync(workbench.Directory, process, workbench.Stopping);
            }

            return bytes;
        }
    }

    private readonly record struct Round(
        double PerSecond, double P99Milliseconds, double Servers, double Silos, double Clients, double Heap, double SiloHeap, double Refused)
    {
        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"{PerSecond:F0}/s, p99 {P99Milliseconds:F1} ms, {Servers:F2} + {Silos:F2} + {Clients:F2} ms of processor, {Heap:F0} bytes of heap a connection");
    }
}
