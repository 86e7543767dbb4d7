using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Marketplace.Cluster;

/// <summary>
/// nginx's configuration for a local cluster: the production site of <c>deploy/nginx/marketplace.conf</c> with this
/// cluster's ports, in a main configuration that keeps every file of nginx's inside one directory.
/// </summary>
internal static partial class NginxConfiguration
{
    private const string SiteResource = "marketplace.conf";

    /// <summary>Writes the configuration and returns its path.</summary>
    public static async Task<string> WriteAsync(
        string directory, int port, IEnumerable<int> frontendPorts, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        var path = Path.Combine(directory, "nginx.conf");
        await File.WriteAllTextAsync(path, Frame(directory) + Site(port, frontendPorts) + "}\n", cancellationToken);
        return path;
    }

    private static string Frame(string directory)
    {
        // Root's nginx runs its workers as another user, who may not reach temporary files in a closed home.
        var user = Environment.IsPrivilegedProcess ? "user root;\n" : "";
        return $$"""
            {{user}}daemon off;
            worker_processes auto;
            worker_rlimit_nofile 65536;
            pid "{{directory}}/nginx.pid";
            error_log stderr warn;
            events {
                worker_connections 32768;
            }
            http {
            access_log off;
            client_body_temp_path "{{directory}}/body";
            proxy_temp_path "{{directory}}/proxy";
            fastcgi_temp_path "{{directory}}/fastcgi";
            uwsgi_temp_path "{{directory}}/uwsgi";
            scgi_temp_path "{{directory}}/scgi";

            """;
    }

    private static string Site(int port, IEnumerable<int> frontendPorts)
    {
        using var stream = typeof(NginxConfiguration).Assembly.GetManifestResourceStream(SiteResource)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var site = Servers().Replace(reader.ReadToEnd(), example => string.Concat(frontendPorts.Select(frontend => string.Create(
            CultureInfo.InvariantCulture, $"    server 127.0.0.1:{frontend}{example.Groups["parameters"]};\n"))));
        site = Log().Replace(site, ""); // what is around it says that there is none
        return Listen().Replace(site, string.Create(CultureInfo.InvariantCulture, $"    listen 127.0.0.1:{port};\n"));
    }

    [GeneratedRegex(
        @"^ *# generated: servers\n *server \S+(?<parameters>[^;]*);.*?^ *# end of generated\n",
        RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Servers();

    [GeneratedRegex(@"^ *listen .*# generated: listen\n", RegexOptions.Multiline)]
    private static partial Regex Listen();

    [GeneratedRegex(@"^ *access_log .*# generated: log\n", RegexOptions.Multiline)]
    private static partial Regex Log();
}
