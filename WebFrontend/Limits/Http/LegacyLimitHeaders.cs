using System.Globalization;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// <c>X-RateLimit-Limit</c>, <c>-Remaining</c> and <c>-Reset</c> besides, as express-rate-limit's <c>legacyHeaders</c>: they know one
/// policy, so they tell of the one with the least left; the reset is in seconds since 1970.
/// </summary>
internal sealed class LegacyLimitHeaders(ILimitHeaders inner, TimeProvider clock) : ILimitHeaders
{
    private const string Limit = "X-RateLimit-Limit";
    private const string Remaining = "X-RateLimit-Remaining";
    private const string Reset = "X-RateLimit-Reset";

    public IReadOnlyList<string> Names { get; } = [.. inner.Names, Limit, Remaining, Reset];

    public void Write(IHeaderDictionary headers, ReadOnlySpan<PermitStatus> statuses)
    {
        inner.Write(headers, statuses);
        var tightest = statuses[0];
        foreach (var status in statuses)
        {
            tightest = status.Remaining < tightest.Remaining ? status : tightest;
        }

        headers[Limit] = tightest.Limit.ToString(CultureInfo.InvariantCulture);
        headers[Remaining] = tightest.Remaining.ToString(CultureInfo.InvariantCulture);
        headers[Reset] = (clock.GetUtcNow().ToUnixTimeSeconds() + ProblemWriter.Seconds(tightest.ResetsIn))
            .ToString(CultureInfo.InvariantCulture);
    }
}
