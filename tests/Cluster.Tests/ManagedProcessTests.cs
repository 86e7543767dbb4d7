using System.Net;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests;

public sealed class ManagedProcessTests : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly string _directory = Directory.CreateTempSubdirectory("marketplace-processes-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_process_that_dies_is_started_again_and_a_line_says_so()
    {
        using var output = new StringWriter();
        await using var supervisor = new Supervisor(TextWriter.Synchronized(output), TimeProvider.System);
        await using var process = New("exec sleep 600");
        await process.StartAsync(TestContext.Current.CancellationToken);
        supervisor.Watch(process);
        var first = process.Pid;

        process.Kill();
        await Until(() => process.IsRunning && process.Pid != first);

        await supervisor.EndAsync();
        Assert.Contains($"stub (pid {first}) ended with code 137", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_ignores_SIGTERM_is_killed_after_the_time_given_with_its_children()
    {
        await using var process = New("trap '' TERM; sleep 600 & echo $!; wait; sleep 600");
        await process.StartAsync(TestContext.Current.CancellationToken);
        await Until(() => process.LastLogLine() is not "it said nothing");
        var child = int.Parse(process.LastLogLine(), System.Globalization.CultureInfo.InvariantCulture);

        Assert.False(await process.StopAsync(TimeSpan.FromMilliseconds(200)));

        Assert.False(process.IsRunning);
        await Until(() => !UnixProcess.IsAlive(child));
    }

    [Fact]
    public async Task A_stopped_process_still_ends_in_order()
    {
        await using var process = New("exec sleep 600");
        await process.StartAsync(TestContext.Current.CancellationToken);
        process.Signal(UnixProcess.SigStop);

        Assert.True(await process.StopAsync(Deadline));
        Assert.Equal(128 + UnixProcess.SigTerm, process.ExitCode);
    }

    [Fact]
    public async Task What_a_killed_supervisor_left_running_is_ended_by_the_next_and_nothing_else_is()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Processes are known again by /proc.");
        var file = Path.Combine(_directory, "processes");
        using var ledger = new ProcessLedger(file, TimeProvider.System);
        await using var left = New("exec sleep 600", ledger);
        await left.StartAsync(TestContext.Current.CancellationToken);
        await using var other = New("exec sleep 600");
        await other.StartAsync(TestContext.Current.CancellationToken);
        await File.AppendAllTextAsync(file, $"{other.Pid} 1 older-process-of-the-same-id\n", TestContext.Current.CancellationToken);

        using var next = new ProcessLedger(file, TimeProvider.System);
        Assert.Equal(["stub"], await next.EndLeftoversAsync(TestContext.Current.CancellationToken));

        await Until(() => !left.IsRunning);
        Assert.True(other.IsRunning);
    }

    private ManagedProcess New(string script, ProcessLedger? ledger = null) => new(
        new ProcessPlan(
            "stub",
            ["/bin/sh", "-c", script],
            new Dictionary<string, string>(),
            new Uri($"http://{IPAddress.Loopback}:1/"),
            "/",
            Path.Combine(_directory, "stub.log")),
        TimeProvider.System,
        ledger);

    private static async Task Until(Func<bool> condition)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, "It did not happen in time.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
