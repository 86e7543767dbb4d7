using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.Testing;

namespace Cluster.Tests;

/// <summary>What an operator can mend ends a process with exit code 78 and a line that says what it is.</summary>
public sealed class StartRefusalTests : IDisposable
{
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(60);
    private readonly string _directory = Directory.CreateTempSubdirectory("marketplace-refusal-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("Silo:SiloPort")]
    [InlineData("Silo:GatewayPort")]
    public async Task A_silos_port_that_is_in_use_is_told_by_its_settings_name(string setting)
    {
        using var taken = new TcpListener(IPAddress.Loopback, LoopbackPorts.Pick());
        taken.Start();
        var ports = new[] { "Silo:SiloPort", "Silo:GatewayPort", "Silo:HttpPort" }.Select(name => string.Create(
            CultureInfo.InvariantCulture,
            $"--{name}={(name == setting ? ((IPEndPoint)taken.LocalEndpoint).Port : LoopbackPorts.Pick())}"));

        var said = await RefusedAsync([$"--Database:ConnectionString={await SharedPostgres.CreateDatabaseAsync()}", .. ports]);

        Assert.Contains(setting, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--Limit:Deadline=00:00:01", "Limit")]
    [InlineData("--port=5000", "port")]
    public async Task A_section_that_does_not_exist_is_refused_by_its_name(string argument, string name)
    {
        var said = await RefusedAsync(argument);

        Assert.StartsWith($"There is no section '{name}'", said, StringComparison.Ordinal);
    }

    /// <summary>Runs a silo and returns the one line that it said last.</summary>
    private async Task<string> RefusedAsync(params string[] arguments)
    {
        await using var silo = new ManagedProcess(
            new ProcessPlan(
                "silo",
                [ProcessPlans.DotnetHost(), Path.Combine(AppContext.BaseDirectory, "Marketplace.Silo.dll"), .. arguments],
                new Dictionary<string, string>(),
                new Uri("http://127.0.0.1:1/"),
                "/",
                Path.Combine(_directory, "silo.log")),
            TimeProvider.System);
        await silo.StartAsync();
        await silo.WaitForExitAsync().WaitAsync(EndWithin, TimeProvider.System);

        Assert.True(silo.ExitCode == MarketplaceProcess.ExitCodeOfBadSettings, $"exit code {silo.ExitCode}: {await File.ReadAllTextAsync(silo.LogFile)}");
        Assert.DoesNotContain("   at ", await File.ReadAllTextAsync(silo.LogFile), StringComparison.Ordinal);
        return silo.LastLogLine();
    }
}
