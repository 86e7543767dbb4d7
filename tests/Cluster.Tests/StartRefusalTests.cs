using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Marketplace.Cluster;
using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.Testing;

namespace Cluster.Tests;

/// <summary>A process that can't start ends with one line that says why, and with exit code 78 if an operator has to mend it.</summary>
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

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    public async Task A_silo_advertises_an_address_that_others_can_reach(string address)
    {
        var said = await RefusedAsync($"--Silo:AdvertisedIP={address}", $"--Database:ConnectionString={await SharedPostgres.CreateDatabaseAsync()}");

        Assert.Contains($"AdvertisedIP is '{address}'", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_frontend_s_address_that_is_not_this_host_s_is_told_by_its_setting()
    {
        var said = await EndedAsync("Marketplace.WebFrontend.dll", MarketplaceProcess.ExitCodeOfBadSettings, [
            "--Frontend:Address=192.0.2.1", // for documentation only: nobody's
            $"--Database:ConnectionString={await SharedPostgres.CreateDatabaseAsync()}",
        ]);

        Assert.Contains("Frontend:Address is '192.0.2.1'", said, StringComparison.Ordinal);
    }

    /// <summary>Whoever starts processes again should do so here, and not after a wrong setting.</summary>
    [Fact]
    public async Task A_PostgreSQL_that_does_not_answer_is_no_fault_of_the_settings()
    {
        var said = await EndedAsync("Marketplace.Silo.dll", MarketplaceProcess.ExitCodeOfPassingTrouble, [
            string.Create(CultureInfo.InvariantCulture, $"--Database:ConnectionString=Host=127.0.0.1;Port={LoopbackPorts.Pick()};Username=a;Database=a"),
            "--Database:StartTimeout=00:00:00",
        ]);

        Assert.Contains("did not answer within Database:StartTimeout", said, StringComparison.Ordinal);
    }

    /// <summary>Runs a silo and returns the one line that it said last.</summary>
    private Task<string> RefusedAsync(params string[] arguments) =>
        EndedAsync("Marketplace.Silo.dll", MarketplaceProcess.ExitCodeOfBadSettings, arguments);

    private async Task<string> EndedAsync(string program, int exitCode, string[] arguments)
    {
        await using var process = new ManagedProcess(
            new ProcessPlan(
                program,
                [ProcessPlans.DotnetHost(), Path.Combine(AppContext.BaseDirectory, program), .. arguments],
                new Dictionary<string, string>(),
                new Uri("http://127.0.0.1:1/"),
                "/",
                Path.Combine(_directory, "process.log")),
            TimeProvider.System);
        await process.StartAsync();
        await process.WaitForExitAsync().WaitAsync(EndWithin, TimeProvider.System);

        Assert.True(process.ExitCode == exitCode, $"exit code {process.ExitCode}: {await File.ReadAllTextAsync(process.LogFile)}");
        Assert.DoesNotContain("   at ", await File.ReadAllTextAsync(process.LogFile), StringComparison.Ordinal);
        return process.LastLogLine();
    }
}
