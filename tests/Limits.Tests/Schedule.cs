using Marketplace.Limits;

namespace Limits.Tests;

/// <summary>One history, as a function of its seed: what happens when, and what has to be true of it.</summary>
internal static class Schedule
{
    private static readonly TimeSpan Rhythm = TimeSpan.FromSeconds(2);

    /// <summary>Longer than any lease or reservation that isn't a window's.</summary>
    private static readonly TimeSpan LongestLife = TimeSpan.FromSeconds(30);

    /// <summary>Plays the schedule.</summary>
    /// <returns>What was wrong, or null.</returns>
    public static string? Play(int seed, LimitAlgorithm algorithm)
    {
        var random = new Random(seed);
        var scenario = Scenario.Of(random, algorithm);
        var world = new World(random.Next(), scenario);
        var isTroubled = random.Next(10) < 7;
        var length = isTroubled ? scenario.Policy.Window * (0.5 + (random.NextDouble() * 2.5)) : scenario.Policy.Window / 4;
        world.IsTroubled = isTroubled;
        Fill(world, random, length, isTroubled);
        Maintain(world, length);
        world.Run(length);

        return world.Judge.Verdict
            ?? (isTroubled ? null : CheckExact(world, scenario))
            ?? CheckQuiet(world, scenario);
    }

    private static void Fill(World world, Random random, TimeSpan length, bool isTroubled)
    {
        var happenings = 10 + random.Next(50);
        for (var i = 0; i < happenings; i++)
        {
            var at = length * random.NextDouble() * 0.9;
            var frontend = world.Frontends[random.Next(world.Frontends.Count)];
            var kind = random.Next(isTroubled ? 100 : 70);
            Action happening = kind switch
            {
                < 55 => () => AskSeveral(world, frontend, 1 + world.Random(world.Chance(20) ? 20 : 4)),
                < 65 => frontend.GiveBack,
                < 70 => () => frontend.Maintain(isIdle: true),
                < 78 => () => Any(world)?.Crash(),
                < 83 => () => world.Activations.Add(new(world)),
                < 89 => () => Any(world)?.Leave(),
                < 92 => frontend.Crash,
                < 97 => () => frontend.Pause(TimeSpan.FromMilliseconds(world.Random(8_000))),
                _ => () => world.Store.SetBack(TimeSpan.FromMilliseconds(world.Random(2_000))),
            };
            world.At(at, happening);
        }
    }

    /// <summary>With nothing broken: what was admitted and not given back is exactly the smaller of limit and demand.</summary>
    private static string? CheckExact(World world, Scenario scenario)
    {
        var limit = scenario.Policy.Limit;
        if (scenario.Policy.Algorithm is not (LimitAlgorithm.FixedWindow or LimitAlgorithm.SlidingWindow))
        {
            return null;
        }

        world.Run(world.Now + TimeSpan.FromMilliseconds(300));
        var asked = world.Frontends.Sum(frontend => frontend.Admitted + frontend.Refused);
        var admitted = world.Frontends.Sum(frontend => frontend.Admitted);
        if (admitted < Math.Min(limit, asked) && world.Frontends.Any(frontend => frontend.Refused > 0) && admitted < limit - world.Judge.GivenBack)
        {
            return $"{admitted} of {limit} admitted although {asked} asked";
        }

        for (var i = 0; i < limit + 3; i++)
        {
            AskSeveral(world, world.Frontends[i % world.Frontends.Count], 1);
            world.Run(world.Now + TimeSpan.FromMilliseconds(40 / (1 + (limit / 10))));
        }

        world.Run(world.Now + TimeSpan.FromMilliseconds(200));
        admitted = world.Frontends.Sum(frontend => frontend.Admitted);
        return admitted == limit ? null : $"{admitted} of {limit} admitted in the end, although more than enough asked";
    }

    /// <summary>Once all is well and enough time has passed, everything is to be had again: nothing has leaked.</summary>
    private static string? CheckQuiet(World world, Scenario scenario)
    {
        world.IsTroubled = false;
        foreach (var activation in world.Activations.Skip(1).ToList())
        {
            activation.Crash();
        }

        var policy = scenario.Policy;
        var refill = policy.Refill > 0 ? policy.Window * ((double)policy.Limit / policy.Refill) : TimeSpan.Zero;
        var quiet = world.Now + LongestLife + (policy.Window * 3) + (refill * 2);
        Maintain(world, quiet);
        world.At(TimeSpan.FromSeconds(12), () => EndAll(world));
        world.Run(quiet);
        if (world.Frontends.Sum(frontend => frontend.Waiting) is > 0 and var waiting)
        {
            return $"{waiting} requests were never answered";
        }

        var before = world.Frontends.Sum(frontend => frontend.Admitted);
        for (var i = 0; i < policy.Limit + 3; i++)
        {
            AskSeveral(world, world.Frontends[world.Random(world.Frontends.Count)], 1);
        }

        world.Run(world.Now + TimeSpan.FromMilliseconds(400));
        var admitted = world.Frontends.Sum(frontend => frontend.Admitted) - before;
        return world.Judge.Verdict
            ?? (admitted == policy.Limit ? null : $"{admitted} of {policy.Limit} were to be had when all was quiet again; "
                + string.Join("; ", world.Frontends) + $"; bucket: {world.Activations.FirstOrDefault()?.View}");
    }

    private static void EndAll(World world)
    {
        if (world.Scenario.Policy.Algorithm == LimitAlgorithm.Concurrency)
        {
            foreach (var frontend in world.Frontends)
            {
                for (var i = 0; i < 1_000; i++)
                {
                    frontend.GiveBack();
                }
            }
        }
    }

    private static void AskSeveral(World world, ModelFrontend frontend, int count)
    {
        for (var i = 0; i < count; i++)
        {
            frontend.Ask();
        }
    }

    private static ModelActivation? Any(World world) =>
        world.Activations.Count > 0 ? world.Activations[world.Random(world.Activations.Count)] : null;

    private static void Maintain(World world, TimeSpan until)
    {
        for (var at = Rhythm; world.Now + at < until; at += Rhythm)
        {
            var isIdle = at.Ticks / Rhythm.Ticks % 3 == 0;
            world.At(at, () =>
            {
                foreach (var frontend in world.Frontends)
                {
                    frontend.Maintain(isIdle);
                }
            });
        }
    }
}
