namespace Marketplace.Limits;

/// <summary>
/// Calls of this grain method through a frontend take permits first, counted by the grain's key. Calls between grains take none:
/// they are the service's own.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LimitedAttribute(string policy) : Attribute
{
    /// <summary>The policy's name.</summary>
    public string Policy => policy;

    /// <summary>Permits that a call takes.</summary>
    public int Cost { get; init; } = 1;
}
