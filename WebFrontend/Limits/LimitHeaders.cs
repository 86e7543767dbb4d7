using System.Globalization;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits;

/// <summary>Tells a client where it stands. The draft is still moving: this is the one place that knows its syntax.</summary>
public interface ILimitHeaders
{
    /// <summary>Sets the headers of a response that has not started.</summary>
    /// <param name="headers">The response's headers.</param>
    /// <param name="statuses">One for each policy that applied, in the order in which they were asked.</param>
    void Write(IHeaderDictionary headers, IReadOnlyList<PermitStatus> statuses);
}

/// <summary>
/// draft-ietf-httpapi-ratelimit-headers: <c>RateLimit-Policy: "general";q=200;w=900</c> and
/// <c>RateLimit: "general";r=199;t=900</c>, times in whole seconds, rounded up.
/// </summary>
internal sealed class IetfLimitHeaders : ILimitHeaders
{
    public void Write(IHeaderDictionary headers, IReadOnlyList<PermitStatus> statuses)
    {
        headers["RateLimit-Policy"] = string.Join(", ", statuses.Select(status => string.Create(
            CultureInfo.InvariantCulture, $"\"{status.Policy}\";q={status.Limit};w={ProblemWriter.Seconds(status.Window)}")));
        headers["RateLimit"] = string.Join(", ", statuses.Select(status => string.Create(
            CultureInfo.InvariantCulture, $"\"{status.Policy}\";r={status.Remaining};t={ProblemWriter.Seconds(status.ResetsIn)}")));
    }
}
