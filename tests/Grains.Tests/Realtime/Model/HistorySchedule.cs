using Marketplace.Realtime.History;

namespace Grains.Tests.Realtime.Model;

/// <summary>One course of events, as a function of its seed: what happens when, and what has to be true of it.</summary>
internal static class HistorySchedule
{
    /// <summary>Large, so that few of them fit into an activation's memory and the rest is read from the table.</summary>
    private static readonly byte[] Arguments = new byte[6_000];

    /// <summary>Longer than the longest lease, pause, patience and call that began before it.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(40);

    /// <summary>Plays the schedule.</summary>
    /// <returns>What was wrong, or null.</returns>
    public static string? Play(int seed)
    {
        var outer = SynchronizationContext.Current;
        var random = new Random(seed);
        var forgets = random.Next(3) == 0;
        var world = new HistoryWorld(random.Next())
        {
            Settings = new() { MessagesMax = forgets && random.Next(2) == 0 ? 2 + random.Next(12) : 10_000 },
            IsTroubled = random.Next(8) > 0,
        };
        try
        {
            SynchronizationContext.SetSynchronizationContext(world);
            return Play(world, random, forgets);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    private static string? Play(HistoryWorld world, Random random, bool forgets)
    {
        for (var i = 2 + random.Next(2); i > 0; i--)
        {
            _ = new ModelHistoryFrontend(world);
        }

        var clients = Enumerable.Range(1, 2 + random.Next(3)).Select(number => new ModelHistoryClient(world, number)).ToList();
        var length = TimeSpan.FromMilliseconds(500 + random.Next(random.Next(3) == 0 ? 30_000 : 4_000));
        var said = new List<HistoryItem>();
        var happenings = 10 + random.Next(40);
        for (var i = 0; i < happenings; i++)
        {
            var kind = random.Next(world.IsTroubled ? 100 : 75);
            world.At(length * random.NextDouble(), () => Happen(world, kind, clients, said, forgets));
        }

        world.Run(length);
        return world.Verdict ?? CheckQuiet(world, clients, said);
    }

    private static void Happen(
        HistoryWorld world, int kind, List<ModelHistoryClient> clients, List<HistoryItem> said, bool forgets)
    {
        var frontends = world.Living;
        var frontend = frontends[world.Random(frontends.Count)];
        var client = clients[world.Random(clients.Count)];
        var silo = world.Silos.All.Count > 0 ? world.Silos.All[world.Random(world.Silos.All.Count)] : new ModelNode();
        switch (kind)
        {
            case < 38: frontend.Publish(Say(world, said)); break;
            case < 42: if (said.Count > 0) { frontend.Publish([said[world.Random(said.Count)]]); } break; // the same again
            case < 58: client.Connect(); break;
            case < 68: client.Disconnect(); break;
            case < 75: if (forgets) { world.Store.Sweep(world.Random(world.Random(6) == 0 ? 100 : 4)); } break;
            case < 79: world.Silos.Kill(silo); break;
            case < 82: world.Silos.Pause(silo, TimeSpan.FromMilliseconds(world.Random(10_000))); break;
            case < 86: world.Silos.Evict(silo); break;
            case < 90: world.Silos.DeactivateAny(); break;
            case < 93: Restart(frontend, world); break;
            case < 96: frontend.Node.PausedUntil = world.Now + TimeSpan.FromMilliseconds(world.Random(5_000)); break;
            default: world.Cut(silo, frontend.Node, TimeSpan.FromMilliseconds(world.Random(9_000))); break;
        }
    }

    private static void Restart(ModelHistoryFrontend frontend, HistoryWorld world)
    {
        frontend.Kill();
        _ = new ModelHistoryFrontend(world);
    }

    private static List<HistoryItem> Say(HistoryWorld world, List<HistoryItem> said)
    {
        var items = new List<HistoryItem>();
        for (var count = 1 + (world.Chance(20) ? world.Random(5) : 0); count > 0; count--)
        {
            var item = new HistoryItem($"m{said.Count + 1}", new($"m{said.Count + 1}", Arguments));
            said.Add(item);
            items.Add(item);
        }

        return items;
    }

    /// <summary>
    /// Nothing gets lost any more and everybody is connected: all have what was acknowledged, although nothing more is said; and
    /// after one more message all that was ever stored.
    /// </summary>
    private static string? CheckQuiet(HistoryWorld world, List<ModelHistoryClient> clients, List<HistoryItem> said)
    {
        world.IsTroubled = false;
        world.Heal();
        for (var second = 0; second < Quiet.TotalSeconds; second++)
        {
            clients.ForEach(client => client.Connect());
            world.Run(world.Now + TimeSpan.FromSeconds(1));
        }

        if (world.Verdict is not null)
        {
            return world.Verdict;
        }

        if (world.Living.Any(frontend => frontend.IsPublishing))
        {
            return "something is still being published";
        }

        if (FindBehind(clients, world.Store.End?.Epoch == world.Judge.Last.Epoch ? world.Judge.Last : default) is { } behind)
        {
            return behind;
        }

        world.Living[0].Publish(Say(world, said));
        world.Run(world.Now + TimeSpan.FromSeconds(5));
        return world.Verdict
            ?? (world.Store.End != world.Judge.Last ? $"the last message was acknowledged as {world.Judge.Last} and is {world.Store.End}" : null)
            ?? FindBehind(clients, world.Judge.Last);
    }

    private static string? FindBehind(List<ModelHistoryClient> clients, HistoryPosition last) =>
        clients.FirstOrDefault(client => !client.Follows) is { } lost ? $"client {lost.Number} doesn't follow"
        : clients.FirstOrDefault(client => client.Last is not { } has || has.Epoch < last.Epoch
            || (has.Epoch == last.Epoch && has.Number < last.Number)) is { } behind
            ? $"client {behind.Number} has {behind.Last} of {last} once all is quiet" : null;
}
