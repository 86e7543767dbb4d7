using System.Text.Json;
using Marketplace.Connections;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace Marketplace.WebFrontend.Connections;

/// <summary>The caps as operators see and change them.</summary>
internal static class ConnectionCapOperations
{
    public static void MapConnectionCaps(this RouteGroupBuilder connections)
    {
        connections.MapGet("/caps", Get);
        connections.MapPut("/caps", Put);
        connections.MapDelete("/caps", Restore);
    }

    private static async Task<Ok<CapsAnswer>> Get(HttpContext context, IGrainFactory grains) =>
        Answer(context, await Caps(grains).Get());

    private static async Task<Results<Ok<CapsAnswer>, ProblemHttpResult>> Put(
        HttpContext context, JsonElement body, IOptions<JsonOptions> json, IGrainFactory grains)
    {
        if (!IfMatch.TryRead(context.Request, out var versions, out var refusal))
        {
            return refusal;
        }

        var errors = new FieldErrors();
        var caps = SettingsBody.Read<ConnectionCaps>(body, json.Value.SerializerOptions, errors);
        return errors.Any
            ? errors.ToProblem()
            : Answer(context, await Caps(grains).Change(versions, caps, Operator(context)));
    }

    private static async Task<Results<Ok<CapsAnswer>, ProblemHttpResult>> Restore(HttpContext context, IGrainFactory grains) =>
        IfMatch.TryRead(context.Request, out var versions, out var refusal)
            ? Answer(context, await Caps(grains).Restore(versions, Operator(context)))
            : refusal;

    private static IConnectionCapsGrain Caps(IGrainFactory grains) => grains.GetGrain<IConnectionCapsGrain>(0);

    private static Ok<CapsAnswer> Answer(HttpContext context, CapsInForce inForce)
    {
        context.Response.Headers.ETag = IfMatch.ETagOf(inForce.Version);
        context.Response.Headers.CacheControl = "private, no-cache";
        return TypedResults.Ok(new CapsAnswer(inForce.Version, inForce.IsChanged ? "changed" : "configured", inForce.Caps));
    }

    private static Results<Ok<CapsAnswer>, ProblemHttpResult> Answer(HttpContext context, CapsChange change) => change.Outcome switch
    {
        CapsChangeOutcome.Success => Answer(context, change.InForce),
        CapsChangeOutcome.VersionMismatch => IfMatch.Mismatch(),
        _ => TypedResults.Problem(
            statusCode: StatusCodes.Status400BadRequest, type: ProblemTypes.Uri(ProblemTypes.Validation),
            title: "Some fields are not valid", detail: "The silos don't take these settings; do they run another version?"),
    };

    private static string Operator(HttpContext context) => context.User.Identity?.Name
        ?? throw new InvalidOperationException("Nobody knows who this is: the group must require authorization.");
}

/// <summary>The caps as they are in force.</summary>
/// <param name="Version">Its ETag's number.</param>
/// <param name="Source"><c>configured</c> or <c>changed</c>.</param>
/// <param name="Settings">What a PUT takes.</param>
internal sealed record CapsAnswer(int Version, string Source, ConnectionCaps Settings);
