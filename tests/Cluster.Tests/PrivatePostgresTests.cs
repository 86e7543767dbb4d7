using Marketplace.Hosting;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Cluster.Tests;

public sealed class PrivatePostgresTests : IAsyncLifetime
{
    private readonly string _directory = Path.Combine(Path.GetTempPath(), $"marketplace-postgres-{Guid.NewGuid():N}");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await PostgresServer.TryDeleteAsync(_directory, TimeProvider.System);

    [Fact]
    public async Task A_restart_keeps_the_data_and_the_port()
    {
        await using var server = await StartAsync();
        await ExecuteAsync(server.ConnectionString, "CREATE TABLE t AS SELECT 42 AS v");
        var port = server.Port;
        var processId = server.ProcessId;

        await server.RestartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(port, server.Port);
        Assert.NotEqual(processId, server.ProcessId);
        Assert.Equal(42, await ExecuteAsync(server.ConnectionString, "SELECT v FROM t"));
    }

    [Fact]
    public async Task What_was_acknowledged_survives_a_kill()
    {
        await using var server = await StartAsync();
        await ExecuteAsync(server.ConnectionString, "CREATE TABLE t AS SELECT 42 AS v");

        await server.KillAsync();
        Assert.False(server.IsRunning);
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(server.ConnectionString, "SELECT 1"));
        await server.RestartAsync(TestContext.Current.CancellationToken);

        Assert.Equal(42, await ExecuteAsync(server.ConnectionString, "SELECT v FROM t"));
    }

    [Fact]
    public async Task The_next_start_stops_the_server_that_a_killed_owner_left_running()
    {
        await using (var server = await StartAsync())
        {
            await ExecuteAsync(server.ConnectionString, "CREATE TABLE t AS SELECT 42 AS v");
        }

        var orphan = await StartOrphanAsync(_directory);
        await using var next = await StartAsync();

        Assert.False(UnixProcess.IsAlive(orphan));
        Assert.Equal(42, await ExecuteAsync(next.ConnectionString, "SELECT v FROM t"));
    }

    /// <summary>The kernel knows where a process works by the directory's real name.</summary>
    [Fact]
    public async Task The_next_start_stops_the_server_that_was_left_running_behind_a_symbolic_link()
    {
        Directory.CreateDirectory(_directory);
        var link = $"{_directory}-link";
        Directory.CreateSymbolicLink(link, _directory);
        try
        {
            await using (await StartAsync(link))
            {
            }

            var orphan = await StartOrphanAsync(link);
            await using var next = await StartAsync(link);

            Assert.False(UnixProcess.IsAlive(orphan));
        }
        finally
        {
            Directory.Delete(link);
        }
    }

    [Fact]
    public async Task A_stale_pid_file_that_names_some_other_process_does_not_hinder()
    {
        await using (var server = await StartAsync())
        {
            await ExecuteAsync(server.ConnectionString, "CREATE TABLE t AS SELECT 42 AS v");
        }

        string pidFile;
        using (var files = await PostgresDirectory.OpenAsync(_directory, TestContext.Current.CancellationToken))
        {
            pidFile = files.PidFile;
        }

        await File.WriteAllTextAsync(pidFile, $"{Environment.ProcessId}\n", TestContext.Current.CancellationToken);
        await using var next = await StartAsync();

        Assert.Equal(42, await ExecuteAsync(next.ConnectionString, "SELECT v FROM t"));
    }

    [Fact]
    public async Task A_second_owner_is_refused_with_one_line()
    {
        await using var server = await StartAsync();

        var refusal = await Assert.ThrowsAsync<StartupException>(StartAsync);

        Assert.Contains(_directory, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
        Assert.Equal(1, await ExecuteAsync(server.ConnectionString, "SELECT 1"));
    }

    [Fact]
    public async Task Every_test_has_a_database_of_its_own_in_the_shared_server()
    {
        var one = await SharedPostgres.CreateDatabaseAsync();
        var other = await SharedPostgres.CreateDatabaseAsync();

        await ExecuteAsync(one, "CREATE TABLE t AS SELECT 42 AS v");

        Assert.Null(await ExecuteAsync(other, "SELECT to_regclass('t')::text"));
    }

    [Fact]
    public async Task A_start_that_is_broken_off_while_the_postmaster_comes_up_leaves_nothing_running()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "What works in a directory is known by /proc.");
        var data = Path.Combine(_directory, "data");
        var isBroken = false;
        for (var attempt = 1; !isBroken && attempt <= 10; attempt++)
        {
            isBroken = await IsBrokenOffAsync();
            Assert.Empty(UnixProcess.WorkingIn(data));
        }

        Assert.True(isBroken, "it was ready each time before it could be broken off");

        async Task<bool> IsBrokenOffAsync()
        {
            using var broken = new CancellationTokenSource();
            var starting = PostgresServer.StartAsync(
                _directory, NullLogger.Instance, TimeProvider.System, PostgresTuning.ThrowAway, broken.Token);
            while (!starting.IsCompleted && !File.Exists(Path.Combine(data, "postmaster.pid")))
            {
                await Task.Yield(); // it is ready a tenth of a second later
            }

            await broken.CancelAsync();
            try
            {
                await using var server = await starting;
                return false; // this thread was held up for longer than that
            }
            catch (OperationCanceledException)
            {
                return true;
            }
        }
    }

    private Task<PostgresServer> StartAsync() => StartAsync(_directory);

    private static Task<PostgresServer> StartAsync(string directory) => PostgresServer.StartAsync(
        directory, NullLogger.Instance, TimeProvider.System, PostgresTuning.ThrowAway, TestContext.Current.CancellationToken);

    /// <summary>The state after a kill -9 of the owner: the server runs, and nobody holds the lock.</summary>
    private static async Task<int> StartOrphanAsync(string directory)
    {
        using var files = await PostgresDirectory.OpenAsync(directory, TestContext.Current.CancellationToken);
        var binaries = await PostgresBinaries.FindAsync(files.MadeBy, TestContext.Current.CancellationToken);
        var postmaster = new PostmasterControl(
            files, binaries, PostgresTuning.ThrowAway, TimeProvider.System, NullLogger.Instance);
        await postmaster.StartAsync(TestContext.Current.CancellationToken);
        return postmaster.ProcessId;
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(TestContext.Current.CancellationToken) is var value and not DBNull ? value : null;
    }
}
