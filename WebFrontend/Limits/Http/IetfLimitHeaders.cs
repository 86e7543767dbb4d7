using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// draft-ietf-httpapi-ratelimit-headers, as it is since revision 8: <c>RateLimit-Policy: "general";q=200;w=900</c> and
/// <c>RateLimit: "general";r=199;t=900</c>, times in whole seconds, rounded up. A concurrency limit has neither window nor
/// reset and names its unit: <c>"uploads";q=5;qu="concurrent-requests"</c>.
/// </summary>
/// <remarks>One string is made for a response; what the policies are is kept, by the order in which they were met.</remarks>
internal sealed class IetfLimitHeaders : ILimitHeaders
{
    private const string PolicyHeader = "RateLimit-Policy";
    private const string Header = "RateLimit";

    private Policies _none = new("", default);
    private int _count;

    public void Write(IHeaderDictionary headers, ReadOnlySpan<PermitStatus> statuses)
    {
        var policies = _none;
        foreach (ref readonly var status in statuses)
        {
            policies = policies.Then(status, this);
        }

        headers[PolicyHeader] = policies.Text;
        headers[Header] = TextOf(statuses);
    }

    public IReadOnlyList<string> Names { get; } = [PolicyHeader, Header];

    private static string TextOf(ReadOnlySpan<PermitStatus> statuses)
    {
        var text = new DefaultInterpolatedStringHandler(0, 0, CultureInfo.InvariantCulture, stackalloc char[256]);
        var separator = "\"";
        foreach (ref readonly var status in statuses)
        {
            text.AppendLiteral(separator);
            text.AppendLiteral(status.Policy);
            text.AppendLiteral("\";r=");
            text.AppendFormatted(status.Remaining);
            if (status.Window > TimeSpan.Zero)
            {
                text.AppendLiteral(";t=");
                text.AppendFormatted(ProblemWriter.Seconds(status.ResetsIn));
            }

            separator = ", \"";
        }

        return text.ToStringAndClear();
    }

    /// <summary>A list of policies, and the lists that begin with it: few enough to be looked through.</summary>
    private sealed class Policies(string text, PermitStatus last)
    {
        /// <summary>Lists kept in all; limits that operators change leave some behind, so past this it starts anew.</summary>
        private const int CountMax = 1_000;

        private ImmutableArray<Policies> _longer = [];

        public string Text => text;

        public Policies Then(in PermitStatus status, IetfLimitHeaders all)
        {
            foreach (var longer in _longer)
            {
                if (longer.EndsWith(status))
                {
                    return longer;
                }
            }

            return Add(status, all);
        }

        private bool EndsWith(in PermitStatus status) =>
            last.Limit == status.Limit && last.Window == status.Window && last.Policy == status.Policy;

        private Policies Add(in PermitStatus status, IetfLimitHeaders all)
        {
            if (Interlocked.Increment(ref all._count) > CountMax)
            {
                (all._none, all._count) = (new("", default), 0);
            }

            var unit = status.Window > TimeSpan.Zero
                ? string.Create(CultureInfo.InvariantCulture, $"w={ProblemWriter.Seconds(status.Window)}")
                : "qu=\"concurrent-requests\"";
            var item = string.Create(CultureInfo.InvariantCulture, $"\"{status.Policy}\";q={status.Limit};{unit}");
            var added = new Policies(text.Length == 0 ? item : $"{text}, {item}", status);
            ImmutableInterlocked.Update(ref _longer, static (lists, list) => lists.Add(list), added); // twice does no harm
            return added;
        }
    }
}
