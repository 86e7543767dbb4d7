using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>A policy that an endpoint asks for.</summary>
/// <param name="Policy">Its name.</param>
/// <param name="Cost">Permits that a request takes.</param>
/// <param name="CountsWhen">Whether they stay taken, by the outcome; null if always.</param>
internal sealed record LimitMetadata(string Policy, int Cost, Func<HttpContext, bool>? CountsWhen);

internal static class LimitMetadataExtensions
{
    /// <summary>
    /// Limits the endpoint, beside whatever else limits it. <c>RequireRateLimiting("policy")</c> says the same where a request costs
    /// one permit and counts whatever comes of it.
    /// </summary>
    /// <param name="endpoint">The endpoint, or a group of them.</param>
    /// <param name="policy">The policy's name in <c>Limits:Policies</c>.</param>
    /// <param name="cost">Permits that a request takes, 1 to <see cref="LimitsOptions.MaxPermitsPerRequest"/>.</param>
    /// <param name="countsWhen">
    /// Counting by outcome: asked when the response's status is decided, and the permits are given back unless it says true. They
    /// are taken beforehand all the same, so that requests that come together can't slip through together.
    /// </param>
    public static TBuilder RequireLimit<TBuilder>(
        this TBuilder endpoint, string policy, int cost = 1, Func<HttpContext, bool>? countsWhen = null)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(cost);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cost, LimitsOptions.MaxPermitsPerRequest);
        return endpoint.WithMetadata(new LimitMetadata(policy, cost, countsWhen));
    }
}
