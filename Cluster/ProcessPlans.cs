using System.Globalization;
using System.Runtime.InteropServices;

namespace Marketplace.Cluster;

/// <summary>How each kind of process is started.</summary>
internal sealed class ProcessPlans
{
    private readonly LocalClusterOptions _options;
    private readonly string _logs;
    private readonly string _nginx;
    private readonly string _connectionString;

    public ProcessPlans(LocalClusterOptions options, string directory, string connectionString)
    {
        (_options, _connectionString) = (options, connectionString);
        _logs = Directory.CreateDirectory(Path.Combine(directory, "logs")).FullName;
        _nginx = Path.Combine(directory, "nginx");
    }

    public ProcessPlan Silo(int number, int siloPort, int gatewayPort, int httpPort) => Plan(
        $"silo-{Text(number)}", "Marketplace.Silo.dll", httpPort, "/health/ready", _options.SiloSettings, new()
        {
            ["Silo__Name"] = $"silo-{Text(number)}",
            ["Silo__AdvertisedIP"] = "127.0.0.1",
            ["Silo__SiloPort"] = Text(siloPort),
            ["Silo__GatewayPort"] = Text(gatewayPort),
            ["Silo__HttpPort"] = Text(httpPort),
        });

    public ProcessPlan Frontend(int number, int port) => Plan(
        $"frontend-{Text(number)}", "Marketplace.WebFrontend.dll", port, "/api/health/ready", _options.FrontendSettings, new()
        {
            ["Frontend__Name"] = $"frontend-{Text(number)}",
            ["Frontend__Address"] = "127.0.0.1",
            ["Frontend__Port"] = Text(port),
        });

    /// <summary>Writes nginx's configuration; null if it is not installed.</summary>
    public async Task<ProcessPlan?> NginxAsync(int port, IEnumerable<int> frontendPorts, CancellationToken cancellationToken)
    {
        if (ManagedProcess.FindInPath("nginx") is not { } program)
        {
            return null;
        }

        var configuration = await NginxConfiguration.WriteAsync(_nginx, port, frontendPorts, cancellationToken);
        return new ProcessPlan(
            "nginx",
            [program, "-p", _nginx, "-e", "stderr", "-c", configuration],
            new Dictionary<string, string>(),
            Loopback(port),
            "/api/health",
            Path.Combine(_logs, "nginx.log"));
    }

    private ProcessPlan Plan(
        string name,
        string program,
        int port,
        string readyPath,
        IReadOnlyDictionary<string, string> ofKind,
        Dictionary<string, string> environment)
    {
        environment["Database__ConnectionString"] = _connectionString;
        foreach (var (key, value) in _options.Settings.Concat(ofKind))
        {
            environment[key] = value;
        }

        return new ProcessPlan(
            name,
            [DotnetHost(), Path.Combine(_options.ProgramDirectory, program)],
            environment,
            Loopback(port),
            readyPath,
            Path.Combine(_logs, $"{name}.log"));
    }

    /// <summary>The <c>dotnet</c> of the runtime that this process runs on, which need not be the one in PATH.</summary>
    internal static string DotnetHost() => Path.GetFullPath(
        Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    private static Uri Loopback(int port) => new($"http://127.0.0.1:{Text(port)}/");

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
