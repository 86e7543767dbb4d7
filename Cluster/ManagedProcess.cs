using System.Diagnostics;
using System.Globalization;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;

namespace Marketplace.Cluster;

/// <summary>How a process is started; the same at every start, so that it keeps its ports.</summary>
/// <param name="Name">For people, such as <c>silo-1</c>.</param>
/// <param name="CommandLine">Program and arguments; secrets go by <paramref name="Environment"/>, which others can't see.</param>
/// <param name="Environment">Variables in addition to those of this process.</param>
/// <param name="Address">Where it can be reached.</param>
/// <param name="ReadyPath">Answers 200 when the process is ready.</param>
/// <param name="LogFile">Gets what the process writes to its standard output and error.</param>
public sealed record ProcessPlan(
    string Name,
    IReadOnlyList<string> CommandLine,
    IReadOnlyDictionary<string, string> Environment,
    Uri Address,
    string ReadyPath,
    string LogFile);

/// <summary>
/// A process that can be started, signalled, killed and started again. It runs in a session of its own: a Ctrl-C reaches
/// the terminal's whole process group, while processes are to end in order; and what it leaves behind can be ended with it.
/// </summary>
public sealed class ManagedProcess : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);
    private static readonly string? SetSid = FindInPath("setsid"); // not on macOS: a Ctrl-C there ends all at once
    private readonly ProcessPlan _plan;
    private readonly TimeProvider _clock;
    private readonly ProcessLedger? _ledger;
    private volatile Process? _process;

    internal ManagedProcess(ProcessPlan plan, TimeProvider clock, ProcessLedger? ledger = null) =>
        (_plan, _clock, _ledger) = (plan, clock, ledger);

    public string Name => _plan.Name;

    public Uri Address => _plan.Address;

    public string LogFile => _plan.LogFile;

    /// <summary>Of the latest start.</summary>
    public int Pid => Started.Id;

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>Null while it runs; 128 + the signal's number if a signal ended it.</summary>
    public int? ExitCode => _process is { HasExited: true } ended ? ended.ExitCode : null;

    /// <summary>Whether its end was asked for by <see cref="StopAsync"/>, so that nobody should start it again.</summary>
    internal bool IsStopping { get; private set; }

    private Process Started => _process ?? throw new InvalidOperationException($"{Name} was not started.");

    /// <summary>Starts it, also once more after it ended; returns before it is ready.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsRunning)
        {
            throw new InvalidOperationException($"{Name} runs.");
        }

        IsStopping = false;

        // The shell only opens the log, so that the process writes to it by itself even when we are gone; then it becomes
        // setsid, which becomes the program: it's one process id throughout.
        var start = new ProcessStartInfo(
            "/bin/sh",
            [
                "-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", LogFile,
                .. SetSid is null ? Array.Empty<string>() : [SetSid],
                .. _plan.CommandLine,
            ]);
        foreach (var (name, value) in _plan.Environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        _process = process; // the former one is not disposed: someone may still wait for its end
        if (_ledger is not null)
        {
            await _ledger.AddAsync(Name, process.Id, cancellationToken);
        }
    }

    /// <summary>kill -9, of its children too.</summary>
    public void Kill()
    {
        var process = Started;
        if (!process.HasExited)
        {
            UnixProcess.Signal(process.Id, UnixProcess.SigKill);
        }

        KillLeftovers();
    }

    /// <summary>Stops it in its tracks (SIGSTOP), as a machine does that hangs: its connections stay open, nobody answers.</summary>
    public void Pause() => Signal(UnixProcess.SigStop);

    /// <summary>Lets it go on after <see cref="Pause"/>; nothing happens if it was not paused.</summary>
    public void Resume() => Signal(UnixProcess.SigCont);

    /// <summary>Sends a signal, such as <see cref="UnixProcess.SigStop"/>; nothing happens if the process has ended.</summary>
    public void Signal(int signal)
    {
        if (IsRunning)
        {
            UnixProcess.Signal(Pid, signal);
        }
    }

    public Task WaitForExitAsync(CancellationToken cancellationToken = default) => Started.WaitForExitAsync(cancellationToken);

    /// <summary>Whether it says that it is ready.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri(Address, _plan.ReadyPath), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception error) when (error is HttpRequestException
            || (error is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>Waits until it is ready.</summary>
    /// <exception cref="StartupException">It refused its settings, or was not ready in time.</exception>
    public async Task WaitForReadyAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var startedAt = _clock.GetTimestamp();
        while (!await IsReadyAsync(cancellationToken))
        {
            if (ExitCode is MarketplaceProcess.ExitCodeOfBadSettings or MarketplaceProcess.ExitCodeOfPassingTrouble)
            {
                throw new StartupException($"{Name} did not start: {LastLogLine()}");
            }

            if (_clock.GetElapsedTime(startedAt) > timeout)
            {
                throw new StartupException(
                    $"{Name} was not ready within {timeout.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s; see {LogFile}.");
            }

            await Task.Delay(PollInterval, _clock, cancellationToken);
        }
    }

    /// <summary>SIGTERM; SIGKILL if it doesn't end in time. Returns true if it ended by itself.</summary>
    public async Task<bool> StopAsync(TimeSpan timeout)
    {
        IsStopping = true;
        var process = _process;
        if (process is null)
        {
            return true;
        }

        Signal(UnixProcess.SigTerm);
        Resume(); // one that was paused couldn't obey
        using var deadline = new CancellationTokenSource(timeout, _clock);
        var obeyed = true;
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            obeyed = false;
            Kill();
            await process.WaitForExitAsync(CancellationToken.None);
        }

        KillLeftovers();
        return obeyed;
    }

    /// <summary>The last thing it said, which is the reason if it refused to start.</summary>
    public string LastLogLine() => File.Exists(LogFile)
        ? File.ReadLines(LogFile).LastOrDefault(line => line.Trim().Length > 0) ?? "it said nothing"
        : "it said nothing";

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            await StopAsync(TimeSpan.Zero);
            process.Dispose();
            _process = null;
        }
    }

    /// <summary>Finds a program as the shell would, and where system programs are though a user's PATH may not say so.</summary>
    internal static string? FindInPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Concat(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])
        .Select(directory => Path.Combine(directory, program))
        .FirstOrDefault(File.Exists);

    /// <summary>Ends what outlived the process: nginx's workers don't end with their master, and keep its port.</summary>
    internal void KillLeftovers()
    {
        if (SetSid is not null)
        {
            UnixProcess.SignalGroup(Pid, UnixProcess.SigKill);
        }
    }
}
