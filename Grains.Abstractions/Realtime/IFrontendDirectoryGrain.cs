namespace Marketplace.Realtime;

/// <summary>
/// The one grain (key 0) that knows how every living frontend is reached. Held in memory; frontends announce themselves
/// every second, and before they listen to anything.
/// </summary>
[Alias("realtime.directory")]
public interface IFrontendDirectoryGrain : IGrainWithIntegerKey
{
    /// <summary>Says how a frontend is reached. Idempotent.</summary>
    /// <returns>
    /// A name for the set of silos. When it isn't what it was, a silo has died or come: channels may have lost what they knew
    /// of their listeners, and the frontend says again what it listens to.
    /// </returns>
    [Alias("announce")]
    ValueTask<long> Announce(FrontendAddress frontend);

    /// <summary>The frontends whose leases live.</summary>
    [Alias("get-all")]
    ValueTask<LiveFrontends> GetAll();
}

/// <summary>The frontends that may listen to something.</summary>
/// <param name="Frontends">Those that announced themselves.</param>
/// <param name="Unannounced">Leases that live but whose frontends the directory, freshly activated, has yet to hear from.</param>
[GenerateSerializer, Immutable, Alias("realtime.live")]
public sealed record LiveFrontends(
    [property: Id(0)] IReadOnlyList<FrontendAddress> Frontends, [property: Id(1)] IReadOnlyList<long> Unannounced)
{
    /// <summary>Whether the lease <paramref name="epoch"/> of a frontend that once announced itself still lives.</summary>
    public bool IsAlive(long epoch) =>
        Frontends.Any(frontend => frontend.Epoch == epoch) || Unannounced.Contains(epoch);
}
