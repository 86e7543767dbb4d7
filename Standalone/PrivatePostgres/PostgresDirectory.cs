#pragma warning disable CA1416 // PostgresServer refuses to start on Windows
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Marketplace.Hosting;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>
/// The files of one private server: <c>lock</c>, <c>password</c>, <c>postgresql.log</c> and <c>data/</c>. Only what the
/// server writes to belongs to its account; the directory around it stays ours, so that no link can be put in our way.
/// </summary>
internal sealed class PostgresDirectory : IDisposable
{
    /// <summary>The log is begun anew at a start that finds it longer than this; one older log is kept.</summary>
    private const long LogBytesMax = 16 * 1024 * 1024;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerWritesOthersPass = OwnerOnly | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly FileStream _lock;
    private readonly string _path;

    private PostgresDirectory(string path, string home, PostgresAccount account, FileStream held) =>
        (_path, Home, Account, _lock) = (path, home, account, held);

    /// <summary>The directory asked for, or the one that stands in for it because the account can't reach that.</summary>
    public string Home { get; }

    public PostgresAccount Account { get; }

    public string Data => Path.Combine(Home, "data");

    /// <summary>A data directory in the making; it is renamed once complete, so that an interrupted initdb is harmless.</summary>
    public string NewData => Path.Combine(Home, "data.new");

    public string Log => Path.Combine(Home, "postgresql.log");

    public string PidFile => Path.Combine(Data, "postmaster.pid");

    public string PasswordFile => Path.Combine(Home, "password");

    /// <summary>The major version of the server that made the data, or null if there is none yet.</summary>
    public int? MadeBy
    {
        get
        {
            var file = Path.Combine(Data, "PG_VERSION");
            return File.Exists(file) ? int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture) : null;
        }
    }

    /// <summary>Takes the directory for this process alone, for as long as it lives or until <see cref="Dispose"/>.</summary>
    /// <exception cref="StartupException">Another process has it, or it can't be written.</exception>
    public static async Task<PostgresDirectory> OpenAsync(string path, CancellationToken cancellationToken)
    {
        path = Path.GetFullPath(path);
        FileStream? held = null;
        try
        {
            Directory.CreateDirectory(path);
            held = Lock(path);
            var account = await PostgresAccount.ChooseAsync(Path.Combine(path, "data"), cancellationToken);
            var directory = new PostgresDirectory(path, path, account, held);
            if (!await directory.IsReachedAsync(cancellationToken))
            {
                // A checkout under a home that is closed to others. The name is the path's, so that it is found again.
                var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..16];
                var standIn = Path.Combine("/var/lib/marketplace", name);
                account = await PostgresAccount.ChooseAsync(Path.Combine(standIn, "data"), cancellationToken);
                directory = new PostgresDirectory(path, standIn, account, held);
                MakePassable("/var/lib/marketplace");
                MakePassable(standIn);
                if (!await directory.IsReachedAsync(cancellationToken))
                {
                    throw new StartupException($"User {account.Name}, which PostgreSQL must run as, can't write in {path} or {standIn}.");
                }
            }

            await directory.PrepareLogAsync(cancellationToken);
            return directory;
        }
        catch (UnauthorizedAccessException error)
        {
            held?.Dispose();
            throw new StartupException($"The private PostgreSQL can't use {path}: {error.Message}");
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    /// <summary>The generated password; made on first use.</summary>
    public async Task<string> PasswordAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(PasswordFile))
        {
            // Written aside and renamed: a password that is cut short would lock us out of our own data.
            var draft = PasswordFile + ".new";
            File.Delete(draft);
            await using (var file = new FileStream(draft, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = OwnerOnly,
            }))
            {
                await file.WriteAsync(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(48, lowercase: true)), cancellationToken);
            }

            await Account.OwnAsync(draft, cancellationToken); // initdb reads it as that account
            File.Move(draft, PasswordFile);
        }

        return (await File.ReadAllTextAsync(PasswordFile, cancellationToken)).Trim();
    }

    /// <summary>Removes everything, the lock last.</summary>
    public void Delete()
    {
        if (Home != _path)
        {
            Directory.Delete(Home, recursive: true);
        }

        Directory.Delete(_path, recursive: true);
    }

    /// <summary>Makes <see cref="NewData"/>, empty and the account's own, whatever an interrupted start left there.</summary>
    public async Task MakeNewDataAsync(CancellationToken cancellationToken)
    {
        if (Directory.Exists(NewData))
        {
            Directory.Delete(NewData, recursive: true);
        }

        Directory.CreateDirectory(NewData);
        await Account.OwnAsync(NewData, cancellationToken);
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(string path)
    {
        try
        {
            // The kernel gives the lock up when its holder ends, however it ends.
            return new FileStream(Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new StartupException($"Another process already runs its PostgreSQL in {path}: stop that one, or choose another directory.");
        }
    }

    private async Task<bool> IsReachedAsync(CancellationToken cancellationToken)
    {
        if (Account.Name is null)
        {
            return true;
        }

        // A directory of the account's own shows whether it can get there.
        await MakeNewDataAsync(cancellationToken);
        var isReached = await Account.ReachesAsync(NewData, cancellationToken);
        Directory.Delete(NewData);
        return isReached;
    }

    private async Task PrepareLogAsync(CancellationToken cancellationToken)
    {
        var log = new FileInfo(Log);
        if (log is { Exists: true, Length: > LogBytesMax })
        {
            log.MoveTo(Log + ".1", overwrite: true);
        }

        if (!File.Exists(Log))
        {
            await File.WriteAllBytesAsync(Log, [], cancellationToken);
            File.SetUnixFileMode(Log, OwnerOnly);
            await Account.OwnAsync(Log, cancellationToken);
        }
    }

    private static void MakePassable(string path)
    {
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path);
            File.SetUnixFileMode(path, OwnerWritesOthersPass);
        }
    }
}
