using System.Globalization;

namespace Marketplace.Bench.Load.Scenarios;

/// <summary>Settings of the marketplace that scenarios change, as environment variables.</summary>
internal static class MarketplaceSettings
{
    /// <summary>As it comes: 200 requests in 15 minutes.</summary>
    public static IReadOnlyDictionary<string, string> Defaults { get; } = new Dictionary<string, string>();

    public static IReadOnlyDictionary<string, string> LimiterOff { get; } = new Dictionary<string, string> { ["Limits__Enabled"] = "false" };

    public static IReadOnlyDictionary<string, string> General(int limit, TimeSpan window) => new Dictionary<string, string>
    {
        ["Limits__Policies__general__Limit"] = limit.ToString(CultureInfo.InvariantCulture),
        ["Limits__Policies__general__Window"] = window.ToString("c", CultureInfo.InvariantCulture),
    };
}
