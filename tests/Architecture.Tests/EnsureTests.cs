#pragma warning disable CA1416 // the script is for Linux and macOS
using System.Diagnostics;

namespace Architecture.Tests;

/// <summary>
/// <c>scripts/ensure</c> on a machine that lacks the program: <c>apt-get</c> may be asked, and what it and others would do as root
/// is only written down.
/// </summary>
public sealed class EnsureTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("marketplace-ensure-").FullName;

    private string AsRoot => Path.Combine(_directory, "as-root");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_web_server_is_installed_without_being_started()
    {
        const string Unit = "/etc/systemd/system/nginx.service";
        const string Policy = "/usr/sbin/policy-rc.d";
        var said = await EnsureAsync("nginx");

        var done = await File.ReadAllLinesAsync(AsRoot);
        var installed = Array.FindIndex(done, line => line.StartsWith("apt-get install", StringComparison.Ordinal));
        var masked = Array.IndexOf(done, $"ln -s /dev/null {Unit}");
        Assert.True(File.Exists(Unit) || (masked >= 0 && masked < installed));
        Assert.Equal(masked >= 0, said.Contains("sudo systemctl unmask nginx", StringComparison.Ordinal));
        Assert.True(File.Exists(Policy) || Array.IndexOf(done, $"tee {Policy}") is var denied && denied >= 0 && denied < installed);
    }

    [Fact]
    public async Task A_distribution_whose_PostgreSQL_is_too_old_is_told_where_there_is_a_newer_one()
    {
        await StubAsync("sed", "echo 14"); // whatever version is found
        await StubAsync("postgres", "exit 0");

        var said = await EnsureAsync("postgresql");

        Assert.Contains("PostgreSQL 14 is too old", said, StringComparison.Ordinal);
        Assert.Contains("PostgreSQL project's own package repository", said, StringComparison.Ordinal);
        Assert.DoesNotContain("apt-get", said, StringComparison.Ordinal);
    }

    /// <summary>Returns what is said at the end, when the program is still not there.</summary>
    private async Task<string> EnsureAsync(string program)
    {
        await StubAsync("id", "echo 1000");
        await StubAsync("sudo", $"[ \"$1\" != tee ] || cat > /dev/null; echo \"$@\" >> '{AsRoot}'");
        var start = new ProcessStartInfo("/bin/bash", [Path.Combine(Repository.Root, "scripts", "ensure"), program])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["PATH"] = $"{_directory}:/usr/bin:/bin";
        start.Environment["BASH_FUNC_type%%"] = $"() {{ case $2 in apt-get) ;; postgres) echo '{_directory}/postgres' ;; *) return 1 ;; esac; }}";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("Installing", await output, StringComparison.Ordinal);
        return said;
    }

    private async Task StubAsync(string name, string script)
    {
        var path = Path.Combine(_directory, name);
        await File.WriteAllTextAsync(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }
}
