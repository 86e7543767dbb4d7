using System.Globalization;
using Marketplace.Bench.Load.Targets;
using Marketplace.Hosting;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>What wrk's rounds gave for one target.</summary>
internal sealed record Outcome(Target Target, IReadOnlyList<Measurement> Rounds)
{
    public Series RequestsPerSecond { get; } = new(Rounds.Select(round => round.RequestsPerSecond));

    public Series P99 { get; } = new(Rounds.Select(round => round.P99Milliseconds));
}

/// <summary>
/// Measures several targets in turn, after <see cref="WarmUps"/>. The others idle meanwhile. Every round begins with another
/// target, so that none always follows the same one.
/// </summary>
/// <param name="workbench">How many rounds, how long, how many connections.</param>
/// <param name="targets">What is measured.</param>
/// <param name="addresses">Client addresses, used in turn.</param>
internal sealed class Rounds(Workbench<BenchOptions> workbench, IReadOnlyList<Target> targets, int addresses)
{
    /// <summary>Rounds beforehand, for compilers and connections: after two, .NET's targets are still getting faster.</summary>
    public const int WarmUps = 5;

    /// <summary>Whether all requests must be refused, or else all admitted; a run that saw anything else is void.</summary>
    public bool ExpectsRefusals { get; init; }

    /// <summary>Seconds of one measurement.</summary>
    public int Seconds { get; init; } = workbench.Options.Seconds;

    /// <summary>Awaited before each measurement.</summary>
    public Func<Target, Task> Before { get; init; } = _ => Task.CompletedTask;

    /// <summary>Told of each measurement, that of warming up included.</summary>
    public Action<Target, Measurement> After { get; init; } = (_, _) => { };

    /// <summary>Lets every address ask once, so that all of them are known.</summary>
    public async Task IntroduceAsync()
    {
        foreach (var target in targets)
        {
            workbench.Progress($"introducing {addresses:N0} addresses to {target.Name}");
            await OnceEach.RunAsync(
                target.Ping, Wrk.FirstClient, addresses, workbench.Options.Connections, answered: null, workbench.Stopping);
        }
    }

    public async Task<IReadOnlyList<Outcome>> RunAsync()
    {
        for (var round = 0; round < WarmUps; round++)
        {
            foreach (var target in targets)
            {
                workbench.Progress($"warming up {target.Name}: {Describe(await MeasureAsync(target))}");
            }
        }

        var measured = targets.ToDictionary(target => target, _ => new List<Measurement>());
        for (var round = 0; round < workbench.Options.Rounds; round++)
        {
            for (var i = 0; i < targets.Count; i++)
            {
                var target = targets[(round + i) % targets.Count];
                measured[target].Add(await MeasureAsync(target));
                workbench.Progress($"round {round + 1} of {workbench.Options.Rounds}, {target.Name}: {Describe(measured[target][^1])}");
            }
        }

        return [.. targets.Select(target => new Outcome(target, measured[target]))];
    }

    private async Task<Measurement> MeasureAsync(Target target)
    {
        await Before(target);
        var measurement = await Wrk.RunAsync(
            target.Ping, workbench.Options.Connections, Seconds, addresses, workbench.Directory, workbench.Stopping);
        After(target, measurement);
        var refused = ExpectsRefusals ? measurement.Requests : 0;
        return measurement.Broken == 0 && measurement.Refused == refused
            ? measurement
            : throw new StartupException(string.Create(CultureInfo.InvariantCulture,
                $"{target.Name}: of {measurement.Requests} requests {measurement.Refused} were refused where {refused} should have been, "
                + $"and {measurement.Broken} broke or took over 2 s: the measurement is void."));
    }

    private static string Describe(Measurement measurement) => string.Create(
        CultureInfo.InvariantCulture, $"{measurement.RequestsPerSecond:F0}/s, p99 {measurement.P99Milliseconds:F2} ms");
}
