using System.Globalization;

namespace Marketplace.Bench.Load.Driver.Workers;

/// <summary>Says every few seconds how a crowd fares.</summary>
internal sealed class Progress(Fleet fleet, TextWriter output, CancellationToken stopping)
{
    private static readonly TimeSpan OftenAtFirst = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LaterOn = TimeSpan.FromSeconds(15);
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();

    /// <summary>Waits for a phase and tells about it meanwhile.</summary>
    public async Task WatchAsync(string phase, Task work)
    {
        var phaseStartedAt = TimeProvider.System.GetTimestamp();
        var pause = OftenAtFirst;
        while (await Task.WhenAny(work, Task.Delay(pause, TimeProvider.System, stopping)) != work)
        {
            stopping.ThrowIfCancellationRequested();
            await TellAsync(phase);
            pause = TimeProvider.System.GetElapsedTime(phaseStartedAt) < LaterOn * 2 ? OftenAtFirst : LaterOn;
        }

        await work;
        await TellAsync($"{phase}: done");
    }

    private async Task TellAsync(string phase)
    {
        var report = await fleet.ReportAsync(forgets: false);
        await output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{TimeProvider.System.GetElapsedTime(_startedAt).TotalSeconds,5:F0} s  {phase,-18} {report.Live,7:N0} live, {report.Refused.Values.Sum():N0} refused, "
            + $"{report.Broken:N0} broken, {report.Lost:N0} lost, {report.Returned:N0} back; {report.Sent:N0} sent, {report.Delivered:N0} delivered, "
            + $"{report.Missed:N0} missed, {report.Repeated:N0} repeated; delivery {report.Delivery}"));
    }
}
