using Marketplace.Users;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Users;

/// <summary>
/// The caller's own account. Edits take <c>If-Match</c>, and deleting is one: it can't be taken back, so it asks for the
/// ETag that the caller has just seen (or <c>*</c>) and for nothing else.
/// </summary>
internal static class ProfileEndpoints
{
    /// <summary>Returns the group, so that a limit over all of it is one call.</summary>
    public static RouteGroupBuilder MapProfile(this IEndpointRouteBuilder routes)
    {
        var me = routes.MapGroup("/api/v1/users/me").RequireAuthorization();
        me.MapGet("", Get).WithName("users-me-get");
        me.MapPatch("", Patch).WithName("users-me-patch");
        me.MapDelete("", Delete).WithName("users-me-delete");
        return me;
    }

    private static async Task<IResult> Get(HttpContext context, IGrainFactory grains) =>
        await UserOf(context, grains).GetProfile() is { } profile ? Profile(context, profile) : new UserIsGone();

    private static async Task<IResult> Patch(HttpContext context, PatchProfileRequest request, IGrainFactory grains)
    {
        if (!IfMatch.TryRead(context.Request, out var versions, out var refusal))
        {
            return refusal;
        }

        var errors = new FieldErrors();
        var edit = new ProfileEdit(
            request.DisplayName is { } name ? errors.DisplayName("displayName", name) : null,
            request.TimeZone is { } zone ? errors.TimeZone("timeZone", zone) : null);
        if (errors.Any)
        {
            return errors.ToProblem();
        }

        return await UserOf(context, grains).Edit(edit, versions) switch
        {
            { Outcome: EditOutcome.Success, Profile: { } profile } => Profile(context, profile),
            { Outcome: EditOutcome.VersionMismatch } => IfMatch.Mismatch(),
            _ => new UserIsGone(),
        };
    }

    private static async Task<IResult> Delete(HttpContext context, IGrainFactory grains)
    {
        if (!IfMatch.TryRead(context.Request, out var versions, out var refusal))
        {
            return refusal;
        }

        return await UserOf(context, grains).Delete(versions) switch
        {
            EditOutcome.Success => TypedResults.NoContent(),
            EditOutcome.VersionMismatch => IfMatch.Mismatch(),
            _ => new UserIsGone(),
        };
    }

    private static IUserGrain UserOf(HttpContext context, IGrainFactory grains) => grains.GetGrain<IUserGrain>(context.User.GetUserId());

    private static Ok<ProfileAnswer> Profile(HttpContext context, UserProfile profile)
    {
        context.Response.Headers.ETag = IfMatch.ETagOf(profile.Version);
        context.Response.Headers.CacheControl = "private, no-cache";
        return TypedResults.Ok(ProfileAnswer.Of(profile));
    }

    /// <summary>The token is good but its user was deleted: to the caller that is a token that isn't good any more.</summary>
    private sealed class UserIsGone : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext) =>
            AccessTokenEvents.WriteUnauthorizedAsync(httpContext, "The user does not exist any more.");
    }
}
