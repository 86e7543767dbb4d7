using System.Globalization;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;
using Microsoft.Extensions.Logging;

namespace Marketplace.Cluster;

/// <summary>
/// A whole cluster on this machine: a private PostgreSQL, silos and frontends as processes of their own, and nginx in
/// front. Disposing it ends all of it in order, and leaves nothing running; what a killed predecessor left running in the
/// same directory is ended at the start.
/// </summary>
public sealed class LocalCluster : IAsyncDisposable
{
    /// <summary>PostgreSQL connections that one process may want: its own pool and the one of Orleans's clustering.</summary>
    private const int ConnectionsPerProcess = 60;

    private readonly LocalClusterOptions _options;
    private readonly TextWriter _output;
    private readonly PortPlan _ports;
    private readonly ProcessPlans _plans;
    private readonly ProcessLedger _ledger;
    private readonly Supervisor _supervisor;
    private readonly List<ManagedProcess> _silos = [];
    private readonly List<ManagedProcess> _frontends = [];
    private bool _disposed;

    private LocalCluster(LocalClusterOptions options, string directory, PostgresServer postgres, TextWriter output)
    {
        (_options, Postgres, _output) = (options, postgres, output);
        _ports = new PortPlan(options.Port);
        _plans = new ProcessPlans(options, directory, postgres.ConnectionString);
        _ledger = new ProcessLedger(Path.Combine(directory, "processes"), options.Clock);
        _supervisor = new Supervisor(output, options.Clock);
    }

    public PostgresServer Postgres { get; }

    public IReadOnlyList<ManagedProcess> Silos => _silos;

    public IReadOnlyList<ManagedProcess> Frontends => _frontends;

    /// <summary>Null where it is not wanted or not installed.</summary>
    public ManagedProcess? Nginx { get; private set; }

    /// <summary>Where the service can be reached: nginx, or the first frontend.</summary>
    public Uri Address => Nginx?.Address ?? _frontends[0].Address;

    /// <summary>Starts everything and waits until all of it is ready.</summary>
    /// <param name="options">What to start.</param>
    /// <param name="output">Gets a line for everything that happens; it must stand being written to from several threads.</param>
    /// <param name="cancellationToken">Ends the start, and what was started.</param>
    /// <exception cref="StartupException">Something could not start; whatever did has been ended again.</exception>
    public static async Task<LocalCluster> StartAsync(
        LocalClusterOptions options, TextWriter output, CancellationToken cancellationToken = default)
    {
        var directory = Path.GetFullPath(options.Directory);
        var connections = Math.Max(400, ConnectionsPerProcess * (options.Silos + options.Frontends + 2));
        var tuning = options.Postgres with
        {
            Settings = new Dictionary<string, string>(options.Postgres.Settings)
            {
                ["max_connections"] = connections.ToString(CultureInfo.InvariantCulture),
            },
        };

        // First of all: the lock on its directory is what makes the whole cluster's directory ours.
        var postgres = await PostgresServer.StartAsync(
            Path.Combine(directory, "postgres"), new OutputLogger(output, LogLevel.Warning), options.Clock, tuning, cancellationToken);
        var cluster = new LocalCluster(options, directory, postgres, output);
        try
        {
            await cluster.StartProcessesAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more silo and waits until it is ready.</summary>
    public async Task<ManagedProcess> AddSiloAsync(CancellationToken cancellationToken = default)
    {
        var silo = await StartAsync(_plans.Silo(_silos.Count + 1, _ports.Any(), _ports.Any(), _ports.Any()), _silos, cancellationToken);
        await silo.WaitForReadyAsync(_options.ReadyTimeout, cancellationToken);
        return silo;
    }

    /// <summary>Starts one more frontend, waits until it is ready and puts it behind nginx.</summary>
    public async Task<ManagedProcess> AddFrontendAsync(CancellationToken cancellationToken = default)
    {
        var frontend = await StartAsync(_plans.Frontend(_frontends.Count + 1, _ports.NextFrontend()), _frontends, cancellationToken);
        await frontend.WaitForReadyAsync(_options.ReadyTimeout, cancellationToken);
        if (Nginx is not null)
        {
            await _plans.NginxAsync(Nginx.Address.Port, FrontendPorts, cancellationToken);
            Nginx.Signal(UnixProcess.SigHup);
        }

        return frontend;
    }

    /// <summary>Ends nginx and the frontends, then the silos, then PostgreSQL; what doesn't obey SIGTERM in time is killed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await _supervisor.DisposeAsync();
        Nginx?.Signal(UnixProcess.SigQuit); // takes no new connections, and lets the frontends finish what they have
        await StopAsync(_frontends);
        await StopAsync(Nginx is null ? [] : [Nginx]);
        await StopAsync(_silos);
        await Postgres.DisposeAsync();
        _ledger.Delete();
        _ledger.Dispose();
    }

    private IEnumerable<int> FrontendPorts => _frontends.Select(frontend => frontend.Address.Port);

    private async Task StartProcessesAsync(CancellationToken cancellationToken)
    {
        foreach (var name in await _ledger.EndLeftoversAsync(cancellationToken))
        {
            await _output.WriteLineAsync($"Ended {name}, which a killed cluster left running");
        }

        await _output.WriteLineAsync(ProcessLine(
            "postgres", Postgres.ProcessId, $"127.0.0.1:{Postgres.Port.ToString(CultureInfo.InvariantCulture)}", Postgres.LogFile));
        if (_options.RestartsDeadProcesses)
        {
            _supervisor.Watch(Postgres);
        }

        var nginxPort = _ports.Nginx();
        for (var number = 1; number <= _options.Silos; number++)
        {
            await StartAsync(_plans.Silo(number, _ports.Any(), _ports.Any(), _ports.Any()), _silos, cancellationToken);
        }

        for (var number = 1; number <= _options.Frontends; number++)
        {
            await StartAsync(_plans.Frontend(number, _ports.NextFrontend()), _frontends, cancellationToken);
        }

        if (_options.WithNginx)
        {
            if (await _plans.NginxAsync(nginxPort, FrontendPorts, cancellationToken) is { } plan)
            {
                Nginx = await StartAsync(plan, [], cancellationToken);
            }
            else
            {
                await _output.WriteLineAsync("nginx is not installed ('apt-get install nginx'): the frontends run without a balancer");
            }
        }

        await Task.WhenAll(_silos.Concat(_frontends).Select(
            process => process.WaitForReadyAsync(_options.ReadyTimeout, cancellationToken)));
        await (Nginx?.WaitForReadyAsync(_options.ReadyTimeout, cancellationToken) ?? Task.CompletedTask);
        await _output.WriteLineAsync($"Ready: {Address}");
    }

    private async Task<ManagedProcess> StartAsync(ProcessPlan plan, List<ManagedProcess> list, CancellationToken cancellationToken)
    {
        var process = new ManagedProcess(plan, _options.Clock, _ledger);
        list.Add(process);
        await process.StartAsync(cancellationToken);
        await _output.WriteLineAsync(ProcessLine(plan.Name, process.Pid, plan.Address.ToString(), plan.LogFile));
        if (_options.RestartsDeadProcesses)
        {
            _supervisor.Watch(process);
        }

        return process;
    }

    private async Task StopAsync(IReadOnlyList<ManagedProcess> processes)
    {
        await Task.WhenAll(processes.Select(async process =>
        {
            if (!await process.StopAsync(_options.StopTimeout))
            {
                await _output.WriteLineAsync($"{process.Name} did not end within {_options.StopTimeout.TotalSeconds} s and was killed");
            }

            await process.DisposeAsync();
        }));
    }

    private static string ProcessLine(string name, int pid, string address, string logFile) =>
        string.Create(CultureInfo.InvariantCulture, $"{name,-11} pid {pid,-8} {address,-24} {logFile}");
}
