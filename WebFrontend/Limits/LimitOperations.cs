using System.Text.Json;
using Marketplace.Limits;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace Marketplace.WebFrontend.Limits;

/// <summary>What operators may see and do about limits while the service runs.</summary>
internal static class LimitOperations
{
    /// <summary>Longer than any partition that a key can make of an address, a user, a route and a header of usual length.</summary>
    private const int PartitionLengthMax = 1_000;

    /// <param name="operations">A group that only operators get into.</param>
    public static RouteGroupBuilder MapLimitOperations(this RouteGroupBuilder operations)
    {
        var limits = operations.MapGroup("/limits");
        limits.MapGet("", List);
        limits.MapGet("/{policy}", Get);
        limits.MapPut("/{policy}", Put);
        limits.MapDelete("/{policy}", Restore);

        // Partitions may hold slashes: an IPv6 prefix, a route.
        limits.MapGet("/{policy}/partitions/{**partition}", Peek);
        limits.MapDelete("/{policy}/partitions/{**partition}", Reset);
        return limits;
    }

    private static async Task<Ok<PoliciesAnswer>> List(IGrainFactory grains) =>
        TypedResults.Ok(new PoliciesAnswer([.. (await Policies(grains).List()).Select(PolicyAnswer.Of)]));

    private static async Task<Results<Ok<PolicyAnswer>, NotFound>> Get(HttpContext context, string policy, IGrainFactory grains) =>
        (await Policies(grains).List()).FirstOrDefault(known => known.Name == policy) is { } inForce
            ? Answer(context, inForce)
            : TypedResults.NotFound();

    private static async Task<Results<Ok<PolicyAnswer>, NotFound, ProblemHttpResult>> Put(
        HttpContext context, string policy, JsonElement body, IOptions<JsonOptions> json, ILimitPolicies policies, IGrainFactory grains)
    {
        if (policies.Find(policy) is null)
        {
            return TypedResults.NotFound();
        }

        if (!IfMatch.TryRead(context.Request, out var versions, out var refusal))
        {
            return refusal;
        }

        var errors = new FieldErrors();
        var options = SettingsBody.Read<LimitPolicyOptions>(body, json.Value.SerializerOptions, errors);
        return errors.Any
            ? errors.ToProblem()
            : Answer(context, await Policies(grains).Change(policy, versions, options, Operator(context)));
    }

    private static async Task<Results<Ok<PolicyAnswer>, NotFound, ProblemHttpResult>> Restore(
        HttpContext context, string policy, ILimitPolicies policies, IGrainFactory grains)
    {
        if (policies.Find(policy) is null)
        {
            return TypedResults.NotFound();
        }

        return IfMatch.TryRead(context.Request, out var versions, out var refusal)
            ? Answer(context, await Policies(grains).Restore(policy, versions, Operator(context)))
            : refusal;
    }

    private static async Task<Results<Ok<PartitionAnswer>, NotFound>> Peek(
        HttpContext context, string policy, string partition, ILimitPolicies policies, IGrainFactory grains)
    {
        if (policies.Find(policy) is null || !TryReadPartition(ref partition))
        {
            return TypedResults.NotFound();
        }

        NeverCache(context);
        return TypedResults.Ok(PartitionAnswer.Of(
            await grains.GetGrain<IBucketGrain>(new BucketKey(policy, partition).ToString()).Peek()));
    }

    private static async Task<Results<NoContent, NotFound>> Reset(
        HttpContext context, string policy, string partition, IGrainFactory grains) =>
        TryReadPartition(ref partition) && await Policies(grains).ResetPartition(policy, partition, Operator(context))
            ? TypedResults.NoContent()
            : TypedResults.NotFound();

    private static ILimitPoliciesGrain Policies(IGrainFactory grains) => grains.GetGrain<ILimitPoliciesGrain>(0);

    private static Ok<PolicyAnswer> Answer(HttpContext context, PolicyInForce policy)
    {
        context.Response.Headers.ETag = IfMatch.ETagOf(policy.Version);
        NeverCache(context);
        return TypedResults.Ok(PolicyAnswer.Of(policy));
    }

    private static Results<Ok<PolicyAnswer>, NotFound, ProblemHttpResult> Answer(HttpContext context, PolicyChange change) => change switch
    {
        { Outcome: PolicyChangeOutcome.Success, InForce: { } inForce } => Answer(context, inForce),
        { Outcome: PolicyChangeOutcome.VersionMismatch } => IfMatch.Mismatch(),
        { Outcome: PolicyChangeOutcome.UnknownPolicy } => TypedResults.NotFound(),
        _ => TypedResults.Problem(
            statusCode: StatusCodes.Status400BadRequest, type: ProblemTypes.Uri(ProblemTypes.Validation),
            title: "Some fields are not valid", detail: "The silos don't take these settings; do they run another version?"),
    };

    /// <summary>The server leaves an escaped slash as it is, since it can't know that it is none of the path's.</summary>
    private static bool TryReadPartition(ref string partition)
    {
        partition = partition.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
        return partition.Length is > 0 and <= PartitionLengthMax && !partition.Any(char.IsControl);
    }

    private static void NeverCache(HttpContext context) => context.Response.Headers.CacheControl = "private, no-cache";

    private static string Operator(HttpContext context) => context.User.Identity?.Name
        ?? throw new InvalidOperationException("Nobody knows who this is: the group must require authorization.");
}

/// <summary>All policies, by name.</summary>
internal sealed record PoliciesAnswer(IReadOnlyList<PolicyAnswer> Policies);

/// <summary>A policy as it is in force.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its ETag's number.</param>
/// <param name="Source"><c>configured</c> or <c>changed</c>.</param>
/// <param name="Settings">What a PUT takes.</param>
internal sealed record PolicyAnswer(string Name, int Version, string Source, LimitPolicyOptions Settings)
{
    public static PolicyAnswer Of(PolicyInForce policy) =>
        new(policy.Name, policy.Version, policy.IsChanged ? "changed" : "configured", policy.Options);
}

/// <summary>How a partition stands.</summary>
/// <param name="Limit">The limit that it is under.</param>
/// <param name="Used">Permits granted to frontends and not handed back, spent or not.</param>
/// <param name="Leased">Of those, what frontends may have unspent.</param>
/// <param name="Holders">Frontends that have some.</param>
/// <param name="Remaining">Permits left.</param>
/// <param name="ResetsInSeconds">Whole seconds, rounded up, until more permits come back; 0 when none are missing.</param>
/// <param name="PolicyVersion">The version of the policy that counts.</param>
internal sealed record PartitionAnswer(
    int Limit, int Used, int Leased, int Holders, int Remaining, long ResetsInSeconds, int PolicyVersion)
{
    public static PartitionAnswer Of(BucketView view) => new(
        view.Limit, view.Used, view.Leased, view.Holders, view.Remaining, (long)Math.Ceiling(view.ResetsIn.TotalSeconds), view.PolicyVersion);
}
