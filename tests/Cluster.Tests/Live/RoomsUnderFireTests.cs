using Marketplace.Cluster;
using Marketplace.Testing;

namespace Cluster.Tests.Live;

/// <summary>What was said in rooms, while what carries it dies.</summary>
[Trait(Soak.Trait, "yes")]
public sealed class RoomsUnderFireTests(ClusterFixture fixture, ITestOutputHelper output) : SharedClusterTests(fixture)
{
    private const int ConnectionsPerUser = 5;
    private const int ClientsPerRoom = 3;
    private static readonly int Rooms = Soak.Choose(inTest: 10, inSoak: 150);
    private static readonly int Rounds = Soak.Choose(inTest: 1, inSoak: 5);
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SpeakEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan AllHeardWithin = TimeSpan.FromSeconds(60);

    private LocalCluster Cluster => Fixture.Cluster;

    [Fact]
    public async Task No_acknowledged_message_is_missed_or_comes_twice_whatever_is_killed()
    {
        var rooms = await EnterAsync();
        using var stop = new CancellationTokenSource();
        var speaking = Task.WhenAll(rooms.Select(room => SpeakAsync(room, stop.Token)));
        for (var round = 0; round < Rounds; round++)
        {
            await UnderFireAsync(Cluster.Frontends[round % 2]);
            await UnderFireAsync(Cluster.Silos[round % 3]);
            await Cluster.Postgres.KillAsync();
            await Fixture.SettledAsync();
            output.WriteLine("PostgreSQL killed and back");
        }

        await Task.Delay(Calm, TimeProvider.System);
        await stop.CancelAsync();
        var said = await speaking;

        foreach (var (room, ids) in rooms.Zip(said))
        {
            foreach (var client in room)
            {
                await ClusterFixture.EventuallyAsync(
                    () => Task.FromResult(client.Heard.Count >= ids.Count), AllHeardWithin, $"{client.Heard.Count} of {ids.Count} came");
                Assert.Empty(client.Broken);
                Assert.Equal(ids, client.Heard);
            }
        }

        var clients = rooms.SelectMany(room => room).ToList();
        output.WriteLine($"{said.Sum(ids => ids.Count)} messages in {Rooms} rooms; {clients.Sum(client => client.Returns)} returns of {clients.Count} clients");
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    private async Task UnderFireAsync(ManagedProcess victim)
    {
        await Task.Delay(Calm, TimeProvider.System);
        victim.Kill();
        await victim.WaitForExitAsync();
        await ClusterFixture.BackAsync(victim);
        output.WriteLine($"{victim.Name} killed and back");
    }

    private async Task<IReadOnlyList<IReadOnlyList<RoomClient>>> EnterAsync()
    {
        var frontends = Cluster.Frontends.Select(frontend => frontend.Address).ToList();
        var users = new List<ClusterUser>();
        var rooms = new List<IReadOnlyList<RoomClient>>();
        for (var i = 0; i < Rooms; i++)
        {
            var name = $"fire-{Guid.NewGuid():N}";
            var clients = new List<RoomClient>();
            for (var j = 0; j < ClientsPerRoom; j++)
            {
                var number = (i * ClientsPerRoom) + j;
                if (number % (ConnectionsPerUser - 1) == 0) // one is left for a connection that is cut and not yet free
                {
                    users.Add(await Fixture.NewUserAsync());
                }

                clients.Add(new(users[^1], frontends, number, name));
            }

            rooms.Add(clients);
        }

        await Task.WhenAll(rooms.SelectMany(room => room).Select(client => client.EnterAsync()));
        return rooms;
    }

    /// <summary>One of the room says one thing after another; what it has said counts when it is acknowledged.</summary>
    private static async Task<IReadOnlyList<string>> SpeakAsync(IReadOnlyList<RoomClient> room, CancellationToken cancellationToken)
    {
        var said = new List<string>();
        while (!cancellationToken.IsCancellationRequested)
        {
            var id = $"m{said.Count}";
            await room[0].SayAsync(id);
            said.Add(id);
            await Task.Delay(SpeakEvery, TimeProvider.System, CancellationToken.None);
        }

        return said;
    }
}
