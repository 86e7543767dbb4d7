using Marketplace.Trouble;
using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Marketplace.WebFrontend.Users;

/// <summary>
/// Finds the token and its key before the framework verifies it, and words refusals. A token whose key can't be fetched is
/// neither good nor bad: an endpoint that needs it answers 503, and one that doesn't goes on without it.
/// </summary>
internal sealed class AccessTokenEvents(AccessTokenKeys keys) : JwtBearerEvents
{
    /// <summary>Browsers can't set headers on WebSockets and event streams: there the token may come in the query.</summary>
    private static readonly PathString Hubs = "/hubs";

    public const string Scheme = $"{JwtBearerDefaults.AuthenticationScheme} realm=\"marketplace\"";
    private static readonly TimeSpan TryAgainIn = TimeSpan.FromSeconds(2);
    private static readonly JsonWebTokenHandler Tokens = new();

    private static volatile KnownHeader? _lastHeader; // all tokens of one key begin alike

    /// <summary>The token that a request brings, or null; whether it is any good is not looked at.</summary>
    public static string? ReadToken(HttpRequest request)
    {
        if (request.Headers.Authorization is [{ } header] && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return header["Bearer ".Length..].Trim();
        }

        var isHub = request.Path.StartsWithSegments(Hubs, StringComparison.OrdinalIgnoreCase);
        return isHub && request.Query["access_token"] is [{ Length: > 0 } token] ? token : null;
    }

    public override async Task MessageReceived(MessageReceivedContext context)
    {
        context.Token = ReadToken(context.Request);
        if (context.Token is null)
        {
            context.NoResult();
            return;
        }

        if (ReadKeyId(context.Token) is { } keyId)
        {
            try
            {
                await keys.EnsureAsync(keyId, context.HttpContext.RequestAborted);
            }
            catch (UnavailableException unavailable)
            {
                context.Fail(unavailable);
            }
        }
    }

    public override Task Challenge(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        return context.AuthenticateFailure is UnavailableException
            ? ProblemWriter.WriteUnavailableAsync(context.HttpContext, "The token can't be verified at the moment.", TryAgainIn)
            : WriteUnauthorizedAsync(context.HttpContext, context.AuthenticateFailure switch
            {
                null => null,
                SecurityTokenExpiredException => "The token has expired.",
                _ => "The token is not valid.",
            });
    }

    public override Task Forbidden(ForbiddenContext context)
    {
        context.Response.Headers.WWWAuthenticate = $"{Scheme}, error=\"insufficient_scope\"";
        return ProblemWriter.WriteAsync(
            context.HttpContext, StatusCodes.Status403Forbidden, ProblemTypes.Forbidden, "This is not for you");
    }

    /// <summary>401 to a caller without a token (<paramref name="fault"/> is null) or with one that is no good.</summary>
    public static Task WriteUnauthorizedAsync(HttpContext context, string? fault)
    {
        context.Response.Headers.WWWAuthenticate =
            fault is null ? Scheme : $"{Scheme}, error=\"invalid_token\", error_description=\"{fault}\"";
        return ProblemWriter.WriteAsync(
            context, StatusCodes.Status401Unauthorized, ProblemTypes.Unauthorized, "An access token is required", fault);
    }

    /// <summary>The key to look for, or null when the token is refused whatever the keys are.</summary>
    private static string? ReadKeyId(string token)
    {
        var header = token.AsSpan(0, Math.Max(token.IndexOf('.', StringComparison.Ordinal), 0));
        if (_lastHeader is { } last && header.SequenceEqual(last.Header))
        {
            return last.KeyId; // the rest is the verifier's business
        }

        if (!Tokens.CanReadToken(token))
        {
            return null;
        }

        try
        {
            var read = Tokens.ReadJsonWebToken(token);
            if (read.Alg != AccessTokens.Algorithm || read.Kid is not { Length: > 0 } keyId)
            {
                return null;
            }

            _lastHeader = new(header.ToString(), keyId);
            return keyId;
        }
        catch (ArgumentException)
        {
            return null; // three parts, but not of a token
        }
    }

    private sealed record KnownHeader(string Header, string KeyId);
}
