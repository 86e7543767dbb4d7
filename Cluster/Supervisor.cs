using System.Globalization;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Cluster;

/// <summary>Starts processes again that end unasked, at growing intervals if they keep ending.</summary>
internal sealed class Supervisor(TextWriter output, TimeProvider clock) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan WellAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(500);
    private readonly CancellationTokenSource _ended = new();
    private readonly List<Task> _watches = [];

    public void Watch(ManagedProcess process) => _watches.Add(UntilEndedAsync(() => WatchAsync(process)));

    public void Watch(PostgresServer server) => _watches.Add(UntilEndedAsync(() => server.WatchAsync(_ended.Token)));

    /// <summary>Watches no more; what runs goes on running.</summary>
    public async Task EndAsync()
    {
        await _ended.CancelAsync();
        await Task.WhenAll(_watches);
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _ended.Dispose();
    }

    private async Task UntilEndedAsync(Func<Task> watch)
    {
        try
        {
            await watch();
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // as asked
        }
    }

    private async Task WatchAsync(ManagedProcess process)
    {
        var pause = FirstPause;
        while (true)
        {
            var startedAt = clock.GetTimestamp();
            var processId = process.Pid;
            await process.WaitForExitAsync(_ended.Token);
            if (clock.GetElapsedTime(startedAt) > WellAfter)
            {
                pause = FirstPause;
            }

            if (process.IsStopping)
            {
                await Task.Delay(PollInterval, clock, _ended.Token);
                continue;
            }

            await output.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{process.Name} (pid {processId}) ended with code {process.ExitCode}; starting it again in {pause.TotalSeconds} s. "
                + $"It said last: {process.LastLogLine()}"));
            await Task.Delay(pause, clock, _ended.Token);
            pause = pause * 2 > LongestPause ? LongestPause : pause * 2;
            if (!process.IsRunning)
            {
                process.KillLeftovers();
                await process.StartAsync(_ended.Token);
                await output.WriteLineAsync($"{process.Name} runs again as pid {process.Pid}");
            }
        }
    }
}
