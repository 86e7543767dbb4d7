using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Http;

/// <summary>Requests by path and method, and what each costs.</summary>
internal sealed record PathRule(PathString Prefix, PathString? Except, IReadOnlyList<string> Methods, int Cost)
{
    public static PathRule Of(LimitedPathOptions path) => new(PrefixOf(path.Path), Except: null, [.. path.Methods], path.Cost);

    /// <summary>A path as the prefix of all below it; the root is above everything.</summary>
    public static PathString PrefixOf(string path) => new(path.TrimEnd('/'));

    public bool Matches(HttpRequest request)
    {
        if (!request.Path.StartsWithSegments(Prefix) || (Except is { } except && request.Path.StartsWithSegments(except)))
        {
            return false;
        }

        foreach (var method in Methods)
        {
            if (HttpMethods.Equals(method, request.Method))
            {
                return true;
            }
        }

        return Methods.Count == 0;
    }
}
