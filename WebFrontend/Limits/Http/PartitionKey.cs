using System.Collections.Immutable;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>
/// Who is counted: a policy's <c>Key</c>, compiled. Parts are joined with '+', which none of them holds; what may stand in one
/// place starts differently (<c>u:</c> a user's id, <c>k:</c> and <c>h:</c> hashes, an address none of these), so that two callers
/// never share a partition by a choice of words.
/// </summary>
internal sealed class PartitionKey
{
    private const int HashLength = 2 + 2 * SHA256.HashSizeInBytes;
    private const string ApiKeyHeader = "X-Api-Key";
    private const string HeaderPart = "header:";
    private const char Separator = '+';

    private readonly ImmutableArray<Part> _parts;
    private readonly int _ipv6PrefixLength;

    public PartitionKey(string key, int ipv6PrefixLength)
    {
        _ipv6PrefixLength = ipv6PrefixLength;
        _parts = [.. key.Split(Separator).Select(Part.Parse)];
        LengthMax = _parts.Length * (HashLength + 1);
        Routes = _parts.Count(part => part.Kind == Kind.Route);
        NeedsUser = _parts.Any(part => part.Kind == Kind.User);
    }

    private enum Kind
    {
        Address,
        User,
        Route,
        Header,
    }

    public bool NeedsUser { get; }

    /// <summary>The longest partition, routes apart: the least that <see cref="Format"/> has to be given.</summary>
    public int LengthMax { get; }

    /// <summary>Parts that are the route.</summary>
    public int Routes { get; }

    /// <summary>An endpoint's route as part of a key.</summary>
    public static string RouteOf(Endpoint? endpoint)
    {
        if (endpoint is not RouteEndpoint { RoutePattern.RawText: { } pattern })
        {
            return "-"; // whatever was asked for: what doesn't exist is one route, or clients could invent any number
        }

        var methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [];
        return string.Join(' ', [.. methods, pattern]).Replace("+", "%2B", StringComparison.Ordinal);
    }

    /// <summary>Writes a request's partition.</summary>
    /// <returns>Characters written.</returns>
    public int Format(HttpContext context, ClaimsPrincipal? user, string route, Span<char> destination)
    {
        var written = 0;
        foreach (var part in _parts)
        {
            if (written > 0)
            {
                destination[written++] = Separator;
            }

            written += FormatPart(part, context, user, route, destination[written..]);
        }

        return written;
    }

    private int FormatPart(Part part, HttpContext context, ClaimsPrincipal? user, string route, Span<char> destination)
    {
        switch (part.Kind)
        {
            case Kind.Route:
                route.CopyTo(destination);
                return route.Length;
            case Kind.User when user?.Identity is { IsAuthenticated: true, Name: { Length: > 0 } name }:
                return FormatUser(name, destination);
            case Kind.Header when context.Request.Headers[part.Header].ToString() is { Length: > 0 } value:
                return Hash(part.Header == ApiKeyHeader ? 'k' : 'h', value, destination);
            default:
                return ClientAddress.Format(context.Connection.RemoteIpAddress, _ipv6PrefixLength, destination);
        }
    }

    private static int FormatUser(string name, Span<char> destination)
    {
        const int PlainLengthMax = 64;
        if (name.Length > PlainLengthMax || name.Contains(Separator, StringComparison.Ordinal))
        {
            return Hash('h', name, destination);
        }

        "u:".CopyTo(destination);
        name.CopyTo(destination[2..]);
        return 2 + name.Length;
    }

    /// <summary>A secret, or a text of any length, by its SHA-256: neither the bucket's key nor its row tells it.</summary>
    private static int Hash(char kind, string text, Span<char> destination)
    {
        const int OnStack = 512;
        var length = Encoding.UTF8.GetMaxByteCount(text.Length);
        Span<byte> bytes = length <= OnStack ? stackalloc byte[OnStack] : new byte[length];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(text, bytes)], hash);
        (destination[0], destination[1]) = (kind, ':');
        Convert.TryToHexStringLower(hash, destination[2..], out var digits);
        return 2 + digits;
    }

    private readonly record struct Part(Kind Kind, string Header)
    {
        public static Part Parse(string text) => text switch
        {
            "user" => new(Kind.User, ""),
            "route" => new(Kind.Route, ""),
            "api-key" => new(Kind.Header, ApiKeyHeader),
            _ when text.StartsWith(HeaderPart, StringComparison.Ordinal) => new(Kind.Header, text[HeaderPart.Length..]),
            _ => new(Kind.Address, ""),
        };
    }
}
