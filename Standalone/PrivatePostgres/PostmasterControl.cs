using System.Globalization;
using Marketplace.Hosting;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>
/// Starts and stops the postmaster. It is started through <c>pg_ctl</c>, which gives it a session of its own on every
/// system: a Ctrl-C goes to the terminal's whole process group, and must not reach the database before the service has
/// drained. (<c>setsid</c> would do the same on Linux, but isn't there on macOS.) It is thus no child of ours, and is
/// known by its pid file.
/// </summary>
internal sealed partial class PostmasterControl(
    PostgresDirectory directory, PostgresBinaries binaries, PostgresTuning tuning, TimeProvider clock, ILogger logger)
{
    private const int PortAttempts = 5;
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

    public int ProcessId { get; private set; }

    public int Port { get; private set; }

    public bool IsRunning => ProcessId != 0 && UnixProcess.IsAlive(ProcessId);

    /// <summary>Starts the server and returns when it takes connections. The port is chosen once and then kept.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var keepsPort = Port != 0;
        for (var attempt = 1; ; attempt++)
        {
            Port = keepsPort ? Port : LoopbackPorts.Pick();
            var logLength = new FileInfo(directory.Log).Length;
            if (await TryStartAsync(cancellationToken))
            {
                return;
            }

            // Someone else may have taken the port between our looking and PostgreSQL's binding it.
            var said = await LogSinceAsync(logLength, cancellationToken);
            if (attempt == PortAttempts || !said.Contains("could not bind", StringComparison.Ordinal))
            {
                var reason = said.Split('\n').FirstOrDefault(line => line.Contains("FATAL", StringComparison.Ordinal))?.Trim();
                throw new StartupException($"PostgreSQL did not start{(reason is null ? "" : $" ({reason})")}; see {directory.Log}.");
            }
        }
    }

    /// <summary>Asks for a fast stop, and waits for nothing.</summary>
    public void RequestStop()
    {
        if (IsRunning)
        {
            UnixProcess.Signal(ProcessId, UnixProcess.SigInt);
        }
    }

    /// <summary>Fast stop; if the server doesn't obey in time, an immediate one, which costs a recovery at the next start.</summary>
    public async Task StopAsync()
    {
        foreach (var signal in new[] { UnixProcess.SigInt, UnixProcess.SigQuit, UnixProcess.SigKill })
        {
            if (!IsRunning)
            {
                break;
            }

            UnixProcess.Signal(ProcessId, signal);
            await WaitForEndAsync(ProcessId, StopTimeout);
        }
    }

    /// <summary>Ends the postmaster and every backend without a chance to write anything more.</summary>
    public async Task KillAsync()
    {
        if (IsRunning)
        {
            UnixProcess.Signal(ProcessId, OperatingSystem.IsLinux() ? UnixProcess.SigKill : UnixProcess.SigQuit);
            await WaitForEndAsync(ProcessId, StopTimeout);
        }

        await KillAllInAsync(directory.Data, clock);
    }

    /// <summary>Signals the postmaster first, so that it makes no backend that is missed, then all the others.</summary>
    public void SignalAll(int signal)
    {
        if (IsRunning)
        {
            UnixProcess.Signal(ProcessId, signal);
            foreach (var backend in UnixProcess.WorkingIn(directory.Data).Where(id => id != ProcessId))
            {
                UnixProcess.Signal(backend, signal);
            }
        }
    }

    /// <summary>
    /// kill -9 of every process that works in a data directory, as all of a server's do. Backends that outlive their
    /// postmaster would keep its shared memory, and so prevent the next start.
    /// </summary>
    public static async Task KillAllInAsync(string dataDirectory, TimeProvider clock)
    {
        while (UnixProcess.WorkingIn(dataDirectory).ToList() is { Count: > 0 } backends)
        {
            backends.ForEach(id => UnixProcess.Signal(id, UnixProcess.SigKill));
            await Task.Delay(PollInterval, clock);
        }
    }

    /// <summary>
    /// Stops the server that a killed predecessor left running on these data, and removes a pid file that means nothing:
    /// PostgreSQL itself would refuse to start if its number happened to belong to some other process by now.
    /// </summary>
    public async Task StopLeftoversAsync()
    {
        if (await ReadPidFileAsync() is { } left && IsPostmasterHere(left.ProcessId))
        {
            LogLeftover(left.ProcessId, directory.Data);
            ProcessId = left.ProcessId;
            await StopAsync();
        }

        await KillAllInAsync(directory.Data, clock);
        if (File.Exists(directory.PidFile))
        {
            File.Delete(directory.PidFile);
        }

        ProcessId = 0;
    }

    private async Task<bool> TryStartAsync(CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>(tuning.Settings)
        {
            ["listen_addresses"] = "127.0.0.1",
            ["port"] = Port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = "", // nobody needs them, and their path length is limited
            ["cluster_name"] = "marketplace",
            ["log_line_prefix"] = "%m[%p]:",
        };
        settings.TryAdd("max_connections", "400");
        var options = string.Join(' ', settings.Select(setting => $"-c {setting.Key}={setting.Value}"));
        var control = Command.RunAsync(
            directory.Account.Wrap(
            [
                binaries["pg_ctl"], "start", "-w",
                "-t", ((int)StartTimeout.TotalSeconds).ToString(CultureInfo.InvariantCulture),
                "-D", directory.Data, "-l", directory.Log, "-o", options,
            ]),
            CancellationToken.None); // killed half-way it could leave a server that we know nothing of

        // pg_ctl looks ten times a second whether the server is ready; the pid file says so at once.
        while (!control.IsCompleted)
        {
            if (await ReadPidFileAsync() is { IsReady: true } ready && ready.Port == Port)
            {
                ProcessId = ready.ProcessId;
                return true;
            }

            if (cancellationToken.IsCancellationRequested)
            {
                await control; // a server that we must stop again is known only then
                break;
            }

            await Task.Delay(PollInterval, clock, CancellationToken.None);
        }

        var last = await ReadPidFileAsync();
        ProcessId = last?.ProcessId ?? 0;
        cancellationToken.ThrowIfCancellationRequested();
        return last is { IsReady: true } && IsRunning;
    }

    private bool IsPostmasterHere(int processId) => OperatingSystem.IsLinux()
        ? UnixProcess.WorkingIn(directory.Data).Contains(processId)
        : UnixProcess.IsAlive(processId);

    private async Task WaitForEndAsync(int processId, TimeSpan atMost)
    {
        var startedAt = clock.GetTimestamp();
        while (UnixProcess.IsAlive(processId) && clock.GetElapsedTime(startedAt) < atMost)
        {
            await Task.Delay(PollInterval, clock);
        }
    }

    private async Task<PidFile?> ReadPidFileAsync()
    {
        try
        {
            // Lines: process id, data directory, start time, port, socket directory, address, shared memory, status.
            var lines = await File.ReadAllLinesAsync(directory.PidFile);
            return lines is [var id, ..] && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var processId)
                ? new PidFile(
                    processId,
                    lines.Length > 3 && int.TryParse(lines[3], NumberStyles.None, CultureInfo.InvariantCulture, out var port) ? port : 0,
                    lines.Length > 7 && lines[7].Trim() == "ready")
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private async Task<string> LogSinceAsync(long position, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(directory.Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = Math.Min(position, file.Length);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Stopping the PostgreSQL (process {ProcessId}) that a killed process left running on {Directory}")]
    private partial void LogLeftover(int processId, string directory);

    private sealed record PidFile(int ProcessId, int Port, bool IsReady);
}
