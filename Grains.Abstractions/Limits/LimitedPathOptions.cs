using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Limits;

/// <summary>Puts a policy on paths; in configuration under <c>Limits:Paths:&lt;n&gt;</c>.</summary>
public sealed class LimitedPathOptions : IValidatableObject
{
    [Description("The path, with all below it.")]
    [Required]
    public string Path { get; set; } = "";

    [Description("The policy's name.")]
    [Required]
    public string Policy { get; set; } = "";

    [Description("Permits that a request takes.")]
    [Range(1, 1_000_000)]
    public int Cost { get; set; } = 1;

    [Description("HTTP methods; none means all.")]
    public IList<string> Methods { get; set; } = [];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Path.Length > 0 && !Path.StartsWith('/'))
        {
            yield return new($"Path is '{Path}'; a path starts with '/'.");
        }
    }
}
