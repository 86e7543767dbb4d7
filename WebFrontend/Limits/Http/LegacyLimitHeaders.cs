using System.Globalization;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// <c>X-RateLimit-Limit</c>, <c>-Remaining</c> and <c>-Reset</c> besides, as express-rate-limit's <c>legacyHeaders</c>: they know one
/// policy, so they tell of the one with the least left; the reset is in seconds since 1970.
/// </summary>
internal sealed class LegacyLimitHeaders(ILimitHeaders inner, TimeProvider clock) : ILimitHeaders
{
    public void Write(IHeaderDictionary headers, ReadOnlySpan<PermitStatus> statuses)
    {
        inner.Write(headers, statuses);
        var tightest = statuses[0];
        foreach (var status in statuses)
        {
            tightest = status.Remaining < tightest.Remaining ? status : tightest;
        }

        headers["X-RateLimit-Limit"] = tightest.Limit.ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Remaining"] = tightest.Remaining.ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Reset"] = (clock.GetUtcNow().ToUnixTimeSeconds() + ProblemWriter.Seconds(tightest.ResetsIn))
            .ToString(CultureInfo.InvariantCulture);
    }
}
