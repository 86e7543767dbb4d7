using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Net;

namespace Marketplace.Silo.Hosting;

/// <summary>The section <c>Silo</c>: where this silo listens.</summary>
public sealed class SiloSettings : IValidatableObject
{
    public const string Section = "Silo";

    [Description("Name in logs and in the membership table; empty means host name and port.")]
    [StringLength(100)]
    public string Name { get; set; } = "";

    [Description("Private address at which other silos and frontends reach this one. Whoever reaches it has a silo's powers.")]
    [Required]
    public string AdvertisedIP { get; set; } = "127.0.0.1";

    [Description("Port for other silos.")]
    [Range(1, 65535)]
    public int SiloPort { get; set; } = 11111;

    [Description("Port for frontends.")]
    [Range(1, 65535)]
    public int GatewayPort { get; set; } = 30000;

    [Description("Internal HTTP port for health, on AdvertisedIP.")]
    [Range(1, 65535)]
    public int HttpPort { get; set; } = 8081;

    internal IPAddress Address => IPAddress.Parse(AdvertisedIP);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IPAddress.TryParse(AdvertisedIP, out var address) || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            yield return new($"AdvertisedIP is '{AdvertisedIP}'; it must be the IP address of this host at which others reach it.");
        }

        if (new[] { SiloPort, GatewayPort, HttpPort }.Distinct().Count() < 3)
        {
            yield return new($"SiloPort ({SiloPort}), GatewayPort ({GatewayPort}) and HttpPort ({HttpPort}) must differ.");
        }
    }
}
