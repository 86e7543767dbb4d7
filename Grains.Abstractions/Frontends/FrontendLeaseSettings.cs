using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Marketplace.Frontends;

/// <summary>The section <c>FrontendLeases</c>: silos take the term from it, frontends the rhythm. They should agree on it.</summary>
public sealed class FrontendLeaseSettings : IValidatableObject
{
    public const string Section = "FrontendLeases";

    [Description("How long a frontend's lease lasts without renewal; longer than it takes to see that a silo hangs (6 s).")]
    [Range(typeof(TimeSpan), "00:00:02", "00:05:00")]
    public TimeSpan Term { get; set; } = TimeSpan.FromSeconds(12);

    [Description("How often a frontend renews its lease; at most a quarter of Term, so that a lost call or two don't matter.")]
    [Range(typeof(TimeSpan), "00:00:00.1000000", "00:01:00")]
    public TimeSpan RenewEvery { get; set; } = TimeSpan.FromSeconds(1);

    [Description("How long a frontend waits for an answer to a renewal before it tries again; at most a quarter of Term.")]
    [Range(typeof(TimeSpan), "00:00:00.1000000", "00:01:00")]
    public TimeSpan CallDeadline { get; set; } = TimeSpan.FromSeconds(2);

    [Description("How long a new connection waits for its place before it is refused as unavailable; at most half of Term.")]
    [Range(typeof(TimeSpan), "00:00:00.1000000", "00:01:00")]
    public TimeSpan AdmissionDeadline { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// What a frontend's lease is shorter than the cluster's by: room for two clocks that run at different rates (0.1% is
    /// far more than any does) and for the time between a look at the clock and what is done upon it.
    /// </summary>
    public TimeSpan Margin => Term / 12;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (RenewEvery > Term / 4 || CallDeadline > Term / 4)
        {
            yield return new($"RenewEvery ({RenewEvery}) and CallDeadline ({CallDeadline}) must be at most a quarter of Term ({Term}).");
        }

        if (AdmissionDeadline > Term / 2)
        {
            yield return new($"AdmissionDeadline ({AdmissionDeadline}) must be at most half of Term ({Term}).");
        }
    }
}
