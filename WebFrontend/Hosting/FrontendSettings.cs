using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Marketplace.WebFrontend.Hosting;

/// <summary>The section <c>Frontend</c>: where this frontend listens and what it accepts.</summary>
public sealed class FrontendSettings : IValidatableObject
{
    public const string Section = "Frontend";

    [Description("Name in logs and in the operator's view; empty means host name and port.")]
    [StringLength(100)]
    public string Name { get; set; } = "";

    [Description("Address to listen on.")]
    [Required]
    public string Address { get; set; } = "127.0.0.1";

    [Description("Port for HTTP and WebSockets.")]
    [Range(1, 65535)]
    public int Port { get; set; } = 5000;

    [Description("How long an idle connection is kept; a little longer than the proxy in front keeps it.")]
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan KeepAliveTimeout { get; set; } = TimeSpan.FromSeconds(65);

    [Description("How long a request may take as a whole before it is answered with 503.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(30);

    [Description("Largest request body in bytes; a larger one is answered with 413.")]
    [Range(1, 1_073_741_824)]
    public long MaxBodyBytes { get; set; } = 10 * 1024 * 1024;

    [Description("TCP connections this frontend accepts at once, WebSockets included.")]
    [Range(1, 1_000_000)]
    public int MaxConnections { get; set; } = 10_000;

    [Description("How long the frontend goes on serving after SIGTERM with its readiness gone: longer than a proxy keeps an idle connection.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:00:20")]
    public TimeSpan DrainDelay { get; set; } = TimeSpan.FromSeconds(2);

    [Description("What clients' departures are spread over after SIGTERM, when live connections are sent to other frontends.")]
    [Range(typeof(TimeSpan), "00:00:00", "00:00:15")]
    public TimeSpan DrainWindow { get; set; } = TimeSpan.FromSeconds(5);

    [Description("Proxies (addresses or CIDR ranges) whose X-Forwarded-For and X-Forwarded-Proto count.")]
    public IList<string> TrustedProxies { get; set; } = [];

    /// <summary>A frontend on one host has nginx beside it; anything else is the operator's to name.</summary>
    internal static readonly string[] DefaultTrustedProxies = ["127.0.0.0/8", "::1"];

    internal IPAddress ListenAddress => IPAddress.Parse(Address);

    internal IEnumerable<IPNetwork> TrustedNetworks =>
        (TrustedProxies.Count > 0 ? TrustedProxies : DefaultTrustedProxies).Select(ParseNetwork).OfType<IPNetwork>();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IPAddress.TryParse(Address, out _))
        {
            yield return new($"Address is '{Address}'; it must be an IP address of this host, 0.0.0.0 or [::].");
        }

        foreach (var proxy in TrustedProxies.Where(proxy => ParseNetwork(proxy) is null))
        {
            yield return new($"TrustedProxies holds '{proxy}'; it must be an address such as 10.0.0.7 or a range such as 10.0.0.0/8.");
        }
    }

    private static IPNetwork? ParseNetwork(string text) =>
        IPNetwork.TryParse(text, out var network) ? network
        : IPAddress.TryParse(text, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : null;
}
