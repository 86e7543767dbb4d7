using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Grains.Connections;

/// <summary>The section <c>Connections</c> of a silo: how many live connections there may be.</summary>
public sealed class ConnectionSettings
{
    public const string Section = "Connections";

    [Description("Live connections one user may have in the whole cluster.")]
    [Range(1, 1_000)]
    public int PerUser { get; set; } = 5;

    [Description("Live connections the whole cluster may have.")]
    [Range(1, 10_000_000)]
    public int Total { get; set; } = 10_000;
}
