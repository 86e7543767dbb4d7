namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>Tells a client where it stands. The draft is still moving: this is the one place that knows its syntax.</summary>
public interface ILimitHeaders
{
    /// <summary>Sets the headers of a response that has not started.</summary>
    /// <param name="headers">The response's headers.</param>
    /// <param name="statuses">One for each policy that applied, in the order in which they were asked; at least one.</param>
    void Write(IHeaderDictionary headers, ReadOnlySpan<PermitStatus> statuses);

    /// <summary>The names of the headers that it sets.</summary>
    IReadOnlyList<string> Names { get; }
}
