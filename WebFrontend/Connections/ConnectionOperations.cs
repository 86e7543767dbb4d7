using System.Globalization;
using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Marketplace.WebFrontend.Connections;

/// <summary>What operators may see and do about connections while the service runs.</summary>
internal static class ConnectionOperations
{
    private static readonly TimeSpan TryAgainIn = TimeSpan.FromSeconds(5);

    /// <param name="operations">A group that only operators get into.</param>
    public static RouteGroupBuilder MapConnectionOperations(this RouteGroupBuilder operations)
    {
        var connections = operations.MapGroup("/connections");
        connections.MapGet("", Overview);
        connections.MapGet("/users/{user:guid}", List);
        connections.MapDelete("/users/{user:guid}", DisconnectAll);
        connections.MapDelete("/users/{user:guid}/{connection:guid}", Disconnect);
        connections.MapConnectionCaps();
        return connections;
    }

    private static async Task<Results<Ok<OverviewAnswer>, ProblemHttpResult>> Overview(
        HttpContext context, [AsParameters] PageQuery page, IGrainFactory grains)
    {
        if (!page.IsValid(out var after, out var refusal, ParseEpoch))
        {
            return refusal;
        }

        NeverCache(context);
        var caps = grains.GetGrain<IConnectionCapsGrain>(0).Get();
        var shares = await grains.GetGrain<IConnectionTotalGrain>(0).GetShares();
        var leases = await grains.GetGrain<IFrontendLeasesGrain>(0).GetLive();
        var frontends = leases.Select(lease => FrontendAnswer.Of(lease, shares.FirstOrDefault(share => share.Epoch == lease.Epoch)));
        var items = Page.Of(frontends.Where(frontend => frontend.Epoch > after), page.Size, frontend => $"{frontend.Epoch}");
        return TypedResults.Ok(new OverviewAnswer(
            (await caps).Caps.Total, shares.Sum(share => (long)share.Held), shares.Sum(share => (long)share.Used), items.Items, items.NextCursor));
    }

    private static async Task<Results<Ok<Page<SlotView>>, ProblemHttpResult>> List(
        HttpContext context, Guid user, [AsParameters] PageQuery page, IGrainFactory grains)
    {
        if (!page.IsValid(out var after, out var refusal, SlotPlace.Parse))
        {
            return refusal;
        }

        NeverCache(context);
        var slots = UserOf(grains, user).List();
        var names = (await grains.GetGrain<IFrontendLeasesGrain>(0).GetLive()).ToDictionary(lease => lease.Epoch, lease => lease.Name);
        return TypedResults.Ok(Page.Of(
            (await slots).Select(slot => (Slot: slot, Place: SlotPlace.Of(slot))).OrderBy(slot => slot.Place)
                .Where(slot => slot.Place.CompareTo(after) > 0),
            page.Size,
            slot => slot.Place.ToString()).Select(slot => SlotView.Of(slot.Slot, names.GetValueOrDefault(slot.Slot.Epoch))));
    }

    private static async Task<Results<NoContent, NotFound, ProblemHttpResult>> DisconnectAll(
        HttpContext context, Guid user, IGrainFactory grains) => Answer(context, await UserOf(grains, user).Disconnect(connection: null));

    private static async Task<Results<NoContent, NotFound, ProblemHttpResult>> Disconnect(
        HttpContext context, Guid user, Guid connection, IGrainFactory grains) =>
        Answer(context, await UserOf(grains, user).Disconnect(connection));

    private static Results<NoContent, NotFound, ProblemHttpResult> Answer(HttpContext context, DisconnectAnswer answer)
    {
        if (answer.Found == 0)
        {
            return TypedResults.NotFound();
        }

        if (answer.Left == 0)
        {
            return TypedResults.NoContent();
        }

        context.Response.Headers.RetryAfter = ProblemWriter.Seconds(TryAgainIn).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(
            statusCode: StatusCodes.Status503ServiceUnavailable, type: ProblemTypes.Uri(ProblemTypes.Unavailable),
            title: "Temporarily unavailable",
            detail: $"{answer.Left} of {answer.Found} connections are not known to be closed yet: their frontend doesn't answer.");
    }

    private static IUserConnectionsGrain UserOf(IGrainFactory grains, Guid user) =>
        grains.GetGrain<IUserConnectionsGrain>(user.ToString("D"));

    private static (bool, long) ParseEpoch(string text) =>
        (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var epoch), epoch);

    private static void NeverCache(HttpContext context) => context.Response.Headers.CacheControl = "private, no-cache";
}

/// <summary>How the whole cluster stands.</summary>
/// <param name="Cap">Connections that there may be.</param>
/// <param name="Held">What frontends hold of that, used or not.</param>
/// <param name="Used">What they used when they spoke last, at most about a second ago.</param>
/// <param name="Items">The frontends, in the order of their leases.</param>
/// <param name="NextCursor">Where the next page begins; null on the last.</param>
internal sealed record OverviewAnswer(int Cap, long Held, long Used, IReadOnlyList<FrontendAnswer> Items, string? NextCursor);

/// <summary>A frontend whose lease runs.</summary>
/// <param name="Epoch">Its lease.</param>
/// <param name="Name">Its name.</param>
/// <param name="RemainingSeconds">How long the lease lasts unless it is renewed, which it is every second.</param>
/// <param name="Held">What it holds of the total.</param>
/// <param name="Used">Of that, what it used when it spoke last.</param>
internal sealed record FrontendAnswer(long Epoch, string Name, double RemainingSeconds, int Held, int Used)
{
    public static FrontendAnswer Of(FrontendLeaseInfo lease, ConnectionShare? share) =>
        new(lease.Epoch, lease.Name, Math.Round(lease.Remaining.TotalSeconds, 1), share?.Held ?? 0, share?.Used ?? 0);
}

/// <summary>One connection of a user.</summary>
/// <param name="Connection">Its name, by which it is closed.</param>
/// <param name="Frontend">The frontend that it is at.</param>
/// <param name="Epoch">The frontend's lease.</param>
/// <param name="Since">When it was admitted.</param>
/// <param name="Transport">What carries it.</param>
internal sealed record SlotView(Guid Connection, string? Frontend, long Epoch, DateTimeOffset Since, ConnectionTransport Transport)
{
    public static SlotView Of(ConnectionSlot slot, string? frontend) =>
        new(slot.Connection, frontend, slot.Epoch, slot.Since, slot.Transport);
}

/// <summary>Where a slot stands in a list: the oldest first, and a name where two are of one age.</summary>
internal readonly record struct SlotPlace(long Ticks, Guid Connection) : IComparable<SlotPlace>
{
    public static SlotPlace Of(ConnectionSlot slot) => new(slot.Since.UtcTicks, slot.Connection);

    public static (bool, SlotPlace) Parse(string text) =>
        text.Split('-') is [var ticks, var name]
        && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var when)
        && Guid.TryParseExact(name, "N", out var connection)
            ? (true, new(when, connection)) : (false, default);

    public int CompareTo(SlotPlace other) => (Ticks, Connection).CompareTo((other.Ticks, other.Connection));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Ticks}-{Connection:N}");
}
