namespace Marketplace.Realtime.Presence;

/// <summary>
/// Who is present in one place, such as a room: users, each with the number of connections. Each frontend reports those of its own
/// connections; what it reported ends with its lease. The key is the place's name, see <see cref="ChannelNames.Presence"/>.
/// </summary>
[Alias("realtime.presence")]
public interface IPresenceGrain : IGrainWithStringKey
{
    /// <summary>
    /// Says who is present by way of one frontend. Idempotent; a report with a lower version than the last one is ignored. From
    /// then on the frontend is told of every change, until it reports that nobody is present.
    /// </summary>
    [Alias("report")]
    ValueTask Report(FrontendAddress frontend, PresenceReport report);

    /// <summary>Who is present.</summary>
    [Alias("get")]
    ValueTask<PresenceState> Get();
}

/// <summary>A user who is present.</summary>
/// <param name="User">The user's id.</param>
/// <param name="Devices">Connections by which the user is present.</param>
[GenerateSerializer, Immutable, Alias("realtime.present-user")]
public sealed record PresentUser([property: Id(0)] string User, [property: Id(1)] int Devices);

/// <summary>Who is present by way of one frontend.</summary>
/// <param name="Version">Rises with every report of a frontend's process.</param>
/// <param name="Count">How many users.</param>
/// <param name="Users">The first <see cref="UsersMax"/> of them in the order of their ids.</param>
[GenerateSerializer, Immutable, Alias("realtime.presence-report")]
public sealed record PresenceReport(
    [property: Id(0)] long Version, [property: Id(1)] int Count, [property: Id(2)] IReadOnlyList<PresentUser> Users)
{
    /// <summary>Past it users are counted and not named: nobody reads such a list.</summary>
    public const int UsersMax = 200;
}

/// <summary>Who is present in all.</summary>
/// <param name="Epoch">Names the run of versions; a later run has a higher one.</param>
/// <param name="Version">Rises with every change.</param>
/// <param name="Count">How many users; when there are more than can be named, one who is on two frontends may count twice.</param>
/// <param name="Users">The first <see cref="PresenceReport.UsersMax"/> of them in the order of their ids.</param>
[GenerateSerializer, Immutable, Alias("realtime.presence-state")]
public sealed record PresenceState(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Version,
    [property: Id(2)] int Count,
    [property: Id(3)] IReadOnlyList<PresentUser> Users);
