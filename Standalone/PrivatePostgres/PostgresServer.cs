using Marketplace.Hosting;
using Npgsql;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>
/// A PostgreSQL server of this process's own: found, initialised once, started on a free loopback port, stopped with
/// <see cref="DisposeAsync"/>. What a killed predecessor left running is stopped first. Not to be used while it is disposed.
/// </summary>
public sealed partial class PostgresServer : IAsyncDisposable
{
    /// <summary>The role of the service; it owns its databases and may create some, and is no superuser.</summary>
    private const string Role = "marketplace";

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(15);

    private readonly PostgresDirectory _directory;
    private readonly PostmasterControl _postmaster;
    private readonly string _password;
    private readonly ILogger _logger;
    private readonly TimeProvider _clock;

    /// <summary>A kill that is not yet done would also end the server that a watcher starts in its place.</summary>
    private readonly SemaphoreSlim _changing = new(1);

    private bool _disposed;

    private PostgresServer(
        PostgresDirectory directory, PostmasterControl postmaster, string password, ILogger logger, TimeProvider clock)
    {
        (_directory, _postmaster, _password, _logger, _clock) = (directory, postmaster, password, logger, clock);
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
    }

    /// <summary>How the service's role reaches the database <c>marketplace</c>; holds the password.</summary>
    public string ConnectionString => ConnectTo(Role);

    /// <summary>The postmaster's process id; another one after <see cref="RestartAsync"/>.</summary>
    public int ProcessId => _postmaster.ProcessId;

    /// <summary>Whether the postmaster runs.</summary>
    public bool IsRunning => _postmaster.IsRunning;

    /// <summary>The port at 127.0.0.1; the same for as long as this object lives.</summary>
    public int Port => _postmaster.Port;

    /// <summary>What the server says.</summary>
    public string LogFile => _directory.Log;

    /// <summary>Starts the server whose data is in <paramref name="directory"/>; makes it on first use.</summary>
    /// <exception cref="StartupException">
    /// PostgreSQL is not installed, another process uses the directory, or the server could not start.
    /// </exception>
    public static async Task<PostgresServer> StartAsync(
        string directory, ILogger logger, TimeProvider clock, PostgresTuning? tuning = null, CancellationToken cancellationToken = default)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new StartupException("A private PostgreSQL is offered on Linux and macOS only: set Database:ConnectionString.");
        }

        tuning ??= PostgresTuning.Durable;
        var files = await PostgresDirectory.OpenAsync(directory, cancellationToken);
        PostgresServer? server = null;
        try
        {
            if (files.Account.Name is { } account)
            {
                LogAccount(logger, account, files.Home);
            }

            var binaries = await PostgresBinaries.FindAsync(files.MadeBy, cancellationToken);
            var password = await files.PasswordAsync(cancellationToken);
            server = new PostgresServer(files, new PostmasterControl(files, binaries, tuning, clock, logger), password, logger, clock);
            await server._postmaster.StopLeftoversAsync();
            if (files.MadeBy is null)
            {
                LogInitialising(logger, binaries.MajorVersion, files.Data);
                await PostgresInitialisation.MakeDataAsync(files, binaries, tuning, cancellationToken);
            }

            await server._postmaster.StartAsync(cancellationToken);
            await PostgresInitialisation.MakeRoleAndDatabaseAsync(
                server.ConnectTo("postgres", PostgresInitialisation.Superuser), Role, password, cancellationToken);
            LogStarted(logger, binaries.MajorVersion, server.Port, server.ProcessId, server.LogFile);
            return server;
        }
        catch
        {
            if (server is not null)
            {
                await server.DisposeAsync();
            }

            files.Dispose();
            throw;
        }
    }

    /// <summary>Stops the server if it runs and starts it again on the same port.</summary>
    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            await _postmaster.StopAsync();
            await _postmaster.StopLeftoversAsync();
            await _postmaster.StartAsync(cancellationToken);
        }
        finally
        {
            _changing.Release();
        }

        LogRestarted(Port, ProcessId);
    }

    /// <summary>Starts the server again whenever it has ended unasked, until this is cancelled.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(LookInterval, _clock, cancellationToken);
            if (IsRunning)
            {
                continue;
            }

            LogEnded(ProcessId);
            try
            {
                await RestartAsync(cancellationToken);
            }
            catch (Exception error) when (error is not OutOfMemoryException && !cancellationToken.IsCancellationRequested)
            {
                // Whatever it was: nobody else would start it.
                LogNotRestarted(error.Message, RetryInterval.TotalSeconds);
                await Task.Delay(RetryInterval, _clock, cancellationToken);
            }
        }
    }

    /// <summary>kill -9 of the postmaster and all its backends; <see cref="RestartAsync"/> brings it back.</summary>
    public async Task KillAsync()
    {
        await _changing.WaitAsync();
        try
        {
            await _postmaster.KillAsync();
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Stops the postmaster and all its backends in their tracks (SIGSTOP), as a machine does that hangs.</summary>
    public void Pause() => _postmaster.SignalAll(UnixProcess.SigStop);

    /// <summary>Lets them go on after <see cref="Pause"/>.</summary>
    public void Resume() => _postmaster.SignalAll(UnixProcess.SigCont);

    /// <summary>Creates an empty database, owned by the service's role, and returns its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(string name)
    {
        await using var connection = new NpgsqlConnection(ConnectTo("postgres"));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"CREATE DATABASE {new NpgsqlCommandBuilder().QuoteIdentifier(name)}", connection);
        await command.ExecuteNonQueryAsync();
        return ConnectTo(name);
    }

    /// <summary>Ends all sessions and stops the server ("fast"): committed work is kept, the rest is rolled back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            await _postmaster.StopAsync();
            AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
            _directory.Dispose();
            _changing.Dispose();
        }
    }

    /// <summary>
    /// Deletes a server's directory with all its data, after stopping what a killed process may have left running there;
    /// returns false if the directory is in use or not ours.
    /// </summary>
    public static async Task<bool> TryDeleteAsync(string directory, TimeProvider clock)
    {
        try
        {
            using var files = await PostgresDirectory.OpenAsync(directory, CancellationToken.None);
            await PostmasterControl.KillAllInAsync(files.Data, clock);
            files.Delete();
            return true;
        }
        catch (Exception error) when (error is StartupException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>A process that breaks off its stop disposes nothing, and must not leave the server running for that.</summary>
    private void OnProcessExit(object? sender, EventArgs e) => _postmaster.RequestStop();

    private string ConnectTo(string database, string role = Role) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = Port,
        Username = role,
        Password = _password,
        Database = database,
    }.ConnectionString;

    [LoggerMessage(LogLevel.Information, "Running as root, PostgreSQL must not: it runs as user {Account}, with its data in {Directory}")]
    private static partial void LogAccount(ILogger logger, string account, string directory);

    [LoggerMessage(LogLevel.Information, "Initialising a private PostgreSQL {Version} in {Directory}")]
    private static partial void LogInitialising(ILogger logger, int version, string directory);

    [LoggerMessage(LogLevel.Information, "Private PostgreSQL {Version} runs at 127.0.0.1:{Port} (process {ProcessId}, log {LogFile})")]
    private static partial void LogStarted(ILogger logger, int version, int port, int processId, string logFile);

    [LoggerMessage(LogLevel.Warning, "Private PostgreSQL (process {ProcessId}) ended; starting it again")]
    private partial void LogEnded(int processId);

    [LoggerMessage(LogLevel.Error, "{Reason} Trying again in {Seconds} s")]
    private partial void LogNotRestarted(string reason, double seconds);

    [LoggerMessage(LogLevel.Warning, "Private PostgreSQL runs again at 127.0.0.1:{Port} (process {ProcessId})")]
    private partial void LogRestarted(int port, int processId);
}
