using Marketplace.Hosting;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>
/// The user that PostgreSQL runs as: this process's own, except for root, which PostgreSQL refuses to run as.
/// </summary>
/// <param name="Name">The user to change to, or null to stay who we are.</param>
/// <param name="Group">The number of that user's login group, which need not be called as the user is.</param>
internal sealed record PostgresAccount(string? Name, string? Group = null)
{
    private const string SetPriv = "/usr/bin/setpriv";

    /// <summary>Chooses the owner of the data if there is some, else <c>postgres</c>, else <c>nobody</c>.</summary>
    public static async Task<PostgresAccount> ChooseAsync(string dataDirectory, CancellationToken cancellationToken)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return new PostgresAccount(Name: null);
        }

        foreach (var name in new[] { await OwnerOfAsync(dataDirectory, cancellationToken), "postgres", "nobody" })
        {
            if (name is not (null or "root") && await Command.RunAsync(["id", "-g", name], cancellationToken) is { Succeeded: true } group)
            {
                return new PostgresAccount(name, group.Output.Trim());
            }
        }

        throw new StartupException(
            "PostgreSQL does not run as root and there is no user 'postgres' or 'nobody' to run it as: start as another user.");
    }

    /// <summary>The command line that runs <paramref name="line"/> as this account.</summary>
    public IReadOnlyList<string> Wrap(params IReadOnlyList<string> line) => Name switch
    {
        null => line,

        // setpriv has no session, no PAM and no shell; su is everywhere.
        _ when File.Exists(SetPriv) => [SetPriv, $"--reuid={Name}", $"--regid={Group}", "--init-groups", "--", .. line],
        _ => ["su", "-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", "--", Name, .. line],
    };

    /// <summary>Gives a file or an empty directory to this account.</summary>
    public async Task OwnAsync(string path, CancellationToken cancellationToken)
    {
        if (Name is not null && await Command.RunAsync(["chown", "-h", $"{Name}:", path], cancellationToken) is { Succeeded: false } failed)
        {
            throw new StartupException($"{path} can't be given to user {Name}: {failed.Reason}");
        }
    }

    /// <summary>Whether this account can work in a directory that it owns; parents that are closed to it prevent that.</summary>
    public async Task<bool> ReachesAsync(string directory, CancellationToken cancellationToken) =>
        Name is null || (await Command.RunAsync(Wrap("test", "-w", directory), cancellationToken)).Succeeded;

    private static async Task<string?> OwnerOfAsync(string path, CancellationToken cancellationToken) =>
        Directory.Exists(path) && await Command.RunAsync(["stat", "-c", "%U", path], cancellationToken) is { Succeeded: true } answer
            ? answer.Output.Trim()
            : null;
}
