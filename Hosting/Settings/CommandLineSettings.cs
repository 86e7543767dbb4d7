using System.Collections.Frozen;

namespace Marketplace.Hosting.Settings;

/// <summary>
/// Which sections and keys a command line may set. A file or an environment may be shared with other programs and hold theirs; what
/// is written on this service's command line is meant for it, and a typing mistake would leave a default in force.
/// </summary>
public static class CommandLineSettings
{
    /// <summary>The sections of all the service's processes, so that one command line may do for several of them.</summary>
    public static IReadOnlySet<string> Sections { get; } = Names(
        "Backplane", "Cluster", "Connections", "Database", "Frontend", "FrontendLeases", "History", "Limits", "Live", "Mail", "Silo",
        "Standalone", "Users");

    /// <summary>What ASP.NET Core, its host and Orleans read.</summary>
    private static readonly FrozenSet<string> OfTheFrameworks = Names(
        "AllowedHosts", "Authentication", "ConnectionStrings", "Kestrel", "Logging", "Metrics", "Orleans",
        "applicationName", "captureStartupErrors", "contentRoot", "detailedErrors", "environment", "hostingStartupAssemblies",
        "hostingStartupExcludeAssemblies", "http_ports", "https_ports", "preferHostingUrls", "preventHostingStartup",
        "shutdownTimeoutSeconds", "startupAssembly", "suppressStatusMessages", "urls", "webRoot");

    /// <summary>Checks an argument that is written <c>--Section:Name=value</c>.</summary>
    /// <exception cref="StartupException">There is no such section or key.</exception>
    public static void Check(string argument)
    {
        var section = argument.TrimStart('-').Split(':', '=')[0];
        if (!Sections.Contains(section) && !OfTheFrameworks.Contains(section))
        {
            throw new StartupException($"There is no section '{section}' that {argument.Split('=')[0]} could set; --help lists all settings.");
        }
    }

    private static FrozenSet<string> Names(params string[] names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
