using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Hosting.Cluster;

/// <summary>The section <c>Cluster</c>: which cluster the process belongs to. Silos and frontends must agree on it.</summary>
public sealed class ClusterSettings
{
    public const string Section = "Cluster";

    [Description("Silos and frontends of one id find each other. A database serves one cluster: users' slots and leases know no ids.")]
    [Required, StringLength(100, MinimumLength = 1)]
    public string ClusterId { get; set; } = "marketplace";

    [Description("Owner of the stored grain state; stays the same over the life of the service.")]
    [Required, StringLength(100, MinimumLength = 1)]
    public string ServiceId { get; set; } = "marketplace";

    [Description("How long a grain call may take before its caller is told that the service is unavailable.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:00:25")]
    public TimeSpan ResponseTimeout { get; set; } = TimeSpan.FromSeconds(10);
}
