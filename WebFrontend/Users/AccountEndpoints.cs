using Marketplace.Trouble;
using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Limits.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Users;

/// <summary>Accounts and sessions, for callers who have no access token yet. None of the answers tells who is registered.</summary>
internal static class AccountEndpoints
{
    private const string DefaultTimeZone = "UTC";
    private const int MaxDefaultName = 64;

    /// <summary>Returns the group, so that a limit over all of it is one call; each route has a name for a limit of its own.</summary>
    public static RouteGroupBuilder MapAccounts(this IEndpointRouteBuilder routes)
    {
        var auth = routes.MapGroup("/api/v1/auth");
        auth.MapPost("/register", Register).WithName("auth-register").RequireRateLimiting(UserLimits.Register);
        auth.MapPost("/verify-email", VerifyEmail).WithName("auth-verify-email");
        auth.MapPost("/login", Login).WithName("auth-login");
        auth.MapPost("/refresh", Refresh).WithName("auth-refresh");
        auth.MapPost("/logout", Logout).WithName("auth-logout");
        auth.MapPost("/email-check", CheckEmail).WithName("auth-email-check").RequireRateLimiting(UserLimits.EmailCheck);
        return auth;
    }

    private static async Task<Results<Accepted<RegisterAnswer>, ProblemHttpResult, EmptyHttpResult>> Register(
        RegisterRequest request, IGrainFactory grains, AccountPermits permits, HttpContext context)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.NewPassword("password", request.Password);
        var displayName = request.DisplayName is { } name
            ? errors.DisplayName("displayName", name)
            : email[..Math.Min(Math.Max(email.IndexOf('@', StringComparison.Ordinal), 0), MaxDefaultName)];
        var timeZone = errors.TimeZone("timeZone", request.TimeZone ?? DefaultTimeZone);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        using var permit = await permits.TakeForRegistrationAsync(context, email);
        if (!permit.IsAcquired)
        {
            await RefusalWriter.WriteAsync(context, permit);
            return TypedResults.Empty;
        }

        try
        {
            await Accounts(grains).Register(new(email, password, displayName, timeZone));
        }
        catch (UnavailableException)
        {
            permit.GiveBack(); // it was rolled back; a call whose answer is lost may have sent a mail, and counts
            throw;
        }

        return TypedResults.Accepted((string?)null, new RegisterAnswer("check-mail"));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> VerifyEmail(VerifyEmailRequest request, IGrainFactory grains)
    {
        var errors = new FieldErrors();
        var token = errors.Token("token", request.Token);
        if (!errors.Any && await Accounts(grains).VerifyEmail(token))
        {
            return TypedResults.NoContent();
        }

        if (!errors.Any)
        {
            errors.Add("token", "This token is not known or has expired; register again to get another.");
        }

        return errors.ToProblem();
    }

    private static async Task<Results<Ok<TokensAnswer>, ProblemHttpResult, EmptyHttpResult>> Login(
        LoginRequest request, IGrainFactory grains, AccountPermits permits, HttpContext context)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.Password("password", request.Password);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        using var attempt = await permits.TakeForLoginAsync(context, email);
        if (!attempt.IsAcquired)
        {
            await RefusalWriter.WriteAsync(context, attempt);
            return TypedResults.Empty;
        }

        LoginResult result;
        try
        {
            result = await Accounts(grains).Login(email, password);
        }
        catch
        {
            attempt.GiveBack(); // trouble of ours is no guess of theirs
            throw;
        }

        if (result is not { Outcome: LoginOutcome.Success, Tokens: { } tokens })
        {
            return Unauthorized(
                context.Response, ProblemTypes.InvalidCredentials, "No account has this address and password",
                "If you have just registered, open the link in the mail first.");
        }

        attempt.GiveBack();
        return Tokens(context.Response, tokens);
    }

    private static async Task<Results<Ok<TokensAnswer>, ProblemHttpResult>> Refresh(
        RefreshRequest request, IGrainFactory grains, HttpResponse response)
    {
        var errors = new FieldErrors();
        var token = errors.Token("refreshToken", request.RefreshToken);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        return await Accounts(grains).Refresh(token) is { } tokens
            ? Tokens(response, tokens)
            : Unauthorized(response, ProblemTypes.SessionEnded, "The session has ended");
    }

    /// <summary>The session's access token isn't taken back: it lasts out its few minutes.</summary>
    private static async Task<Results<NoContent, ProblemHttpResult>> Logout(RefreshRequest request, IGrainFactory grains)
    {
        var errors = new FieldErrors();
        var token = errors.Token("refreshToken", request.RefreshToken);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        await Accounts(grains).Logout(token);
        return TypedResults.NoContent();
    }

    private static async Task<Results<Ok<EmailCheckAnswer>, ProblemHttpResult, EmptyHttpResult>> CheckEmail(
        EmailCheckRequest request, IGrainFactory grains, AccountPermits permits, HttpContext context)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        var status = await Accounts(grains).CheckEmail(email);
        if (status is not (EmailStatus.Registered or EmailStatus.Available))
        {
            return TypedResults.Ok(new EmailCheckAnswer("continue"));
        }

        using var permit = await permits.TakeForDisclosureAsync(context, email);
        if (!permit.IsAcquired)
        {
            await RefusalWriter.WriteAsync(context, permit);
            return TypedResults.Empty;
        }

        return TypedResults.Ok(new EmailCheckAnswer(status == EmailStatus.Registered ? "registered" : "available"));
    }

    private static IAccountsGrain Accounts(IGrainFactory grains) => grains.GetGrain<IAccountsGrain>(0);

    private static Ok<TokensAnswer> Tokens(HttpResponse response, SessionTokens tokens)
    {
        response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(TokensAnswer.Of(tokens));
    }

    private static ProblemHttpResult Unauthorized(HttpResponse response, string type, string title, string? detail = null)
    {
        response.Headers.WWWAuthenticate = AccessTokenEvents.Scheme;
        return TypedResults.Problem(detail, statusCode: StatusCodes.Status401Unauthorized, type: ProblemTypes.Uri(type), title: title);
    }
}
