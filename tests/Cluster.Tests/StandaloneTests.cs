using System.Globalization;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;

namespace Cluster.Tests;

/// <summary>The whole service as one process, and the PostgreSQL that it started.</summary>
public sealed class StandaloneTests : IAsyncLifetime
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan PostgresEndsWithin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(40);
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"marketplace-standalone-{Guid.NewGuid():N}");
    private ManagedProcess _standalone = null!;

    private string PostgresData => Path.Combine(_directory, "postgres", "data");

    private string PidFile => Path.Combine(PostgresData, "postmaster.pid");

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What works in a directory is known by /proc.");
        Directory.CreateDirectory(_directory); // and not as a temporary one, which is closed to the user that PostgreSQL runs as
        var ports = Enumerable.Range(0, 3).Select(_ => LoopbackPorts.Pick().ToString(CultureInfo.InvariantCulture)).ToList();
        _standalone = new ManagedProcess(
            new ProcessPlan(
                "standalone",
                [
                    "env", "--default-signal=HUP", // tests that run under nohup ignore it, and so would what they start
                    ProcessPlans.DotnetHost(), Path.Combine(AppContext.BaseDirectory, "Marketplace.Standalone.dll"),
                    $"--Standalone:DataDirectory={_directory}", $"--Mail:Directory={_directory}/mail", "--Database:MinPoolSize=2",
                    $"--Silo:SiloPort={ports[0]}", $"--Silo:GatewayPort={ports[1]}", $"--Frontend:Port={ports[2]}",
                ],
                new Dictionary<string, string>(),
                new Uri($"http://127.0.0.1:{ports[2]}/"),
                "/api/health/ready",
                Path.Combine(_directory, "standalone.log")),
            TimeProvider.System);
        await _standalone.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _standalone.DisposeAsync();
        await PostgresServer.TryDeleteAsync(Path.Combine(_directory, "postgres"), TimeProvider.System);
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task Told_to_stop_while_its_PostgreSQL_starts_it_exits_0_and_leaves_nothing_running()
    {
        await EventuallyAsync(() => File.Exists(PidFile), ReadyWithin, "PostgreSQL was not started");

        _standalone.Signal(UnixProcess.SigTerm);

        await EndsAsync();
        Assert.Equal(0, _standalone.ExitCode);
        Assert.Empty(UnixProcess.WorkingIn(PostgresData));
    }

    [Fact]
    public async Task When_its_terminal_is_closed_it_stops_in_order_and_its_PostgreSQL_too()
    {
        await _standalone.WaitForReadyAsync(ReadyWithin);

        _standalone.Signal(UnixProcess.SigHup);

        await EndsAsync();
        Assert.Equal(0, _standalone.ExitCode);
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_stop_that_it_has_to_break_off_still_stops_its_PostgreSQL()
    {
        await _standalone.WaitForReadyAsync(ReadyWithin);
        var server = UnixProcess.WorkingIn(PostgresData).ToList();
        server.ForEach(process => UnixProcess.Signal(process, UnixProcess.SigStop)); // Orleans wants to tell it of the stop

        _standalone.Signal(UnixProcess.SigTerm);
        await EventuallyAsync(
            () => File.ReadAllText(_standalone.LogFile).Contains("Stopping", StringComparison.Ordinal), EndWithin, "it was not told to stop");
        _standalone.Signal(UnixProcess.SigTerm);
        await EndsAsync();
        server.ForEach(process => UnixProcess.Signal(process, UnixProcess.SigCont));

        Assert.Equal(MarketplaceProcess.ExitCodeOfPassingTrouble, _standalone.ExitCode);
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_PostgreSQL_that_was_killed_is_started_again_at_the_same_port()
    {
        await _standalone.WaitForReadyAsync(ReadyWithin);
        var (killed, port) = Postmaster();

        UnixProcess.Signal(killed, UnixProcess.SigKill);

        await EventuallyAsync(
            () => Postmaster().ProcessId is not 0 and var next && next != killed, BackWithin, "PostgreSQL was not started again");
        await _standalone.WaitForReadyAsync(BackWithin);
        Assert.Equal(port, Postmaster().Port);
    }

    /// <summary>Zeros while there is none.</summary>
    private (int ProcessId, int Port) Postmaster()
    {
        try
        {
            return File.ReadAllLines(PidFile) is [var id, _, _, var port, _, ..] ? (int.Parse(id, null), int.Parse(port, null)) : default;
        }
        catch (IOException)
        {
            return default;
        }
    }

    private Task EndsAsync() => EventuallyAsync(() => !_standalone.IsRunning, EndWithin, "it did not end");

    private Task NothingIsLeftAsync() => EventuallyAsync(
        () => !UnixProcess.WorkingIn(PostgresData).Any(), PostgresEndsWithin, "its PostgreSQL still runs");

    private static Task EventuallyAsync(Func<bool> condition, TimeSpan within, string otherwise) =>
        ClusterFixture.EventuallyAsync(() => Task.FromResult(condition()), within, otherwise);
}
