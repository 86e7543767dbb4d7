using System.Globalization;
using System.Text.RegularExpressions;
using Marketplace.Hosting;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>An installed PostgreSQL server.</summary>
/// <param name="Directory">Where <c>initdb</c>, <c>pg_ctl</c> and <c>postgres</c> are.</param>
/// <param name="MajorVersion">For example 15.</param>
internal sealed partial record PostgresBinaries(string Directory, int MajorVersion)
{
    private const int OldestMajorVersion = 15;

    public string this[string program] => Path.Combine(Directory, program);

    /// <summary>Finds the newest installed server, or the one of the major version that made the data.</summary>
    /// <param name="madeBy">The major version of the data that is already there, if there is any.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <exception cref="StartupException">None is installed that would do.</exception>
    public static async Task<PostgresBinaries> FindAsync(int? madeBy, CancellationToken cancellationToken)
    {
        var found = new List<PostgresBinaries>();
        foreach (var directory in Candidates().Where(IsServer).Distinct(StringComparer.Ordinal))
        {
            if (await VersionOfAsync(directory, cancellationToken) is >= OldestMajorVersion and var version)
            {
                found.Add(new PostgresBinaries(directory, version));
            }
        }

        if (found.Count == 0)
        {
            throw new StartupException(
                $"PostgreSQL {OldestMajorVersion} or newer is not installed: install it ('apt-get install postgresql', "
                + "'dnf install postgresql-server' or 'brew install postgresql'), or set Database:ConnectionString to a server that runs.");
        }

        return found.OrderByDescending(binaries => binaries.MajorVersion).FirstOrDefault(b => madeBy is null || b.MajorVersion == madeBy)
            ?? throw new StartupException(
                $"The data was made by PostgreSQL {madeBy}, but only {string.Join(", ", found.Select(b => b.MajorVersion).Distinct())} "
                + $"is installed: install PostgreSQL {madeBy}, or carry the data over with pg_upgrade.");
    }

    private static IEnumerable<string> Candidates() =>
    [
        .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries),
        .. Versions("/usr/lib/postgresql", "*", "bin"), // Debian, Ubuntu, Alpine
        .. Versions("/usr/lib", "postgresql*", "bin"), // SUSE
        .. Versions("/usr", "pgsql-*", "bin"), // the PostgreSQL project's packages for Fedora and Red Hat
        .. Versions("/opt/homebrew/opt", "postgresql*", "bin"),
        .. Versions("/usr/local/opt", "postgresql*", "bin"),
    ];

    private static IEnumerable<string> Versions(string root, string pattern, string below) =>
        System.IO.Directory.Exists(root)
            ? System.IO.Directory.EnumerateDirectories(root, pattern).Select(directory => Path.Combine(directory, below))
            : [];

    private static bool IsServer(string directory) =>
        new[] { "initdb", "pg_ctl", "postgres" }.All(program => File.Exists(Path.Combine(directory, program)));

    private static async Task<int> VersionOfAsync(string directory, CancellationToken cancellationToken)
    {
        var answer = await Command.RunAsync([Path.Combine(directory, "postgres"), "--version"], cancellationToken);
        return Version().Match(answer.Output) is { Success: true } match
            ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)
            : 0;
    }

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)")]
    private static partial Regex Version();
}
