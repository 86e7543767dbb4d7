using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Standalone.PrivatePostgres;

/// <summary>The section <c>Standalone</c>: where the one-process service keeps what it makes itself.</summary>
public sealed class StandaloneOptions
{
    public const string Section = "Standalone";

    [Description("Where the private PostgreSQL keeps its data, used if Database:ConnectionString is not set; "
        + "a relative path begins at the directory that the process is started in.")]
    [Required(AllowEmptyStrings = false)]
    public string DataDirectory { get; set; } = ".data";
}
