namespace Marketplace.Frontends;

/// <summary>
/// The one grain (key 0) that knows which frontends are alive. A frontend holds what it holds (slots, listeners) under a
/// lease; when the lease ends, everything under it is void at once. An epoch is a lease's name: unique over the life of the
/// service and never used again, so whoever stored an epoch can ask later whether it still counts.
/// </summary>
[Alias("frontends.leases")]
public interface IFrontendLeasesGrain : IGrainWithIntegerKey
{
    /// <summary>Starts a lease. Repeating a call whose answer was lost only starts another, which then runs out.</summary>
    [Alias("register")]
    ValueTask<FrontendLeaseTerm> Register(FrontendRegistration registration);

    /// <summary>
    /// Extends a lease by a full term. Returns null when the lease has ended: the frontend must close what it held under it
    /// and register anew.
    /// </summary>
    [Alias("renew")]
    ValueTask<FrontendLeaseTerm?> Renew(long epoch);

    /// <summary>Ends a lease at once. Idempotent.</summary>
    [Alias("release")]
    ValueTask Release(long epoch);

    /// <summary>The leases that have not ended, in the order of their epochs.</summary>
    [Alias("live")]
    ValueTask<IReadOnlyList<FrontendLeaseInfo>> GetLive();

    /// <summary>Which epochs are void. An epoch that is void stays void, so the answer may be kept.</summary>
    [Alias("epochs")]
    ValueTask<FrontendEpochs> GetEpochs();
}

/// <summary>What a frontend says of itself.</summary>
/// <param name="Name">For people: host and port, or the configured name.</param>
[GenerateSerializer, Immutable, Alias("frontends.registration")]
public sealed record FrontendRegistration([property: Id(0)] string Name);

/// <summary>A lease as granted.</summary>
/// <param name="Epoch">The lease's name.</param>
/// <param name="Term">How long it lasts, counted by the frontend from the moment it *sent* the call.</param>
[GenerateSerializer, Immutable, Alias("frontends.term")]
public sealed record FrontendLeaseTerm([property: Id(0)] long Epoch, [property: Id(1)] TimeSpan Term);

/// <summary>A living lease.</summary>
/// <param name="Epoch">The lease's name.</param>
/// <param name="Name">The frontend's name.</param>
/// <param name="Remaining">How long it lasts unless it is renewed.</param>
[GenerateSerializer, Immutable, Alias("frontends.info")]
public sealed record FrontendLeaseInfo(
    [property: Id(0)] long Epoch, [property: Id(1)] string Name, [property: Id(2)] TimeSpan Remaining);

/// <summary>
/// What is known of all epochs at some moment. It ages well: what it calls void is void for ever; what it doesn't may have
/// become so since.
/// </summary>
/// <param name="Next">The first epoch that had not been given out: nothing is known of it and of later ones.</param>
/// <param name="Live">The epochs whose leases had not ended.</param>
[GenerateSerializer, Immutable, Alias("frontends.epochs")]
public sealed record FrontendEpochs([property: Id(0)] long Next, [property: Id(1)] IReadOnlyList<long> Live)
{
    /// <summary>Nothing is known yet.</summary>
    public static FrontendEpochs Unknown { get; } = new(0, []);

    /// <summary>Whether the lease <paramref name="epoch"/> has ended: all that was held under it may be given away.</summary>
    public bool IsVoid(long epoch) => epoch < Next && !Live.Contains(epoch);

    /// <summary>Whether the lease <paramref name="epoch"/> was live at that moment.</summary>
    public bool IsLive(long epoch) => epoch < Next && Live.Contains(epoch);
}
