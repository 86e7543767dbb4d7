using System.Globalization;

namespace Cluster.Tests.Limits.Storm;

/// <summary>
/// Every few seconds kills a random process, or stops it for a while. Which, when and how long follow from the seed; who is
/// still down then follows from the machine, so a seed repeats a storm nearly and not to the millisecond.
/// </summary>
/// <remarks>
/// At most half of the processes of a kind are struck at once, one of three; PostgreSQL, of which there is one, at most
/// every <see cref="PostgresRests"/>, and stopped for a third of the time: a cluster that answers nothing proves nothing.
/// </remarks>
internal sealed class Chaos(IReadOnlyList<Victim> victims, int seed, StormClock clock, Outages outages, Action<string> log)
{
    private static readonly TimeSpan PostgresRests = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private readonly Random _random = new(seed);
    private readonly Dictionary<Victim, Task> _strikes = [];
    private TimeSpan _postgresMayBeStruckAt;

    public Dictionary<string, int> Counts { get; } = new(StringComparer.Ordinal);

    /// <summary>Strikes until told to end; then lets everything go on that is stopped, and waits until all of it is back.</summary>
    public async Task RunAsync(CancellationToken end)
    {
        try
        {
            while (true)
            {
                await clock.DelayAsync(Seconds(2, 6), end);
                Strike(end);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            await Task.WhenAll(_strikes.Values);
        }
    }

    private void Strike(CancellationToken end)
    {
        // Drawn before it is known who is down, so that the seed's sequence doesn't depend on it.
        var (choice, kills, stoppedFor) = (_random.NextDouble(), _random.Next(2) == 0, Seconds(1, 15));
        var candidates = victims.Where(MayBeStruck).ToList();
        if (candidates.Count == 0)
        {
            log($"{Stamp()} nobody is struck: too many are down");
            return;
        }

        var victim = candidates[(int)(choice * candidates.Count)];
        if (victim.Kind == "postgres")
        {
            _postgresMayBeStruckAt = clock.Now + PostgresRests;
            stoppedFor /= 3;
        }

        var action = kills ? $"kill -9 {victim.Kind}" : $"SIGSTOP {victim.Kind}";
        Counts[action] = Counts.GetValueOrDefault(action) + 1;
        _strikes[victim] = kills ? KillAsync(victim) : StopAsync(victim, stoppedFor, end);
    }

    private bool MayBeStruck(Victim victim)
    {
        var ofKind = victims.Where(other => other.Kind == victim.Kind).ToList();
        return !IsDown(victim)
            && ofKind.Count(IsDown) < Math.Max(1, ofKind.Count / 2)
            && (victim.Kind != "postgres" || clock.Now >= _postgresMayBeStruckAt);
    }

    private bool IsDown(Victim victim) => _strikes.TryGetValue(victim, out var strike) && !strike.IsCompleted;

    private async Task KillAsync(Victim victim)
    {
        var outage = outages.Begin(victim.Name, clock.Now);
        log($"{Stamp()} kill -9 {victim.Name}");
        await victim.KillAsync();
        await BackAsync(victim, outage);
    }

    private async Task StopAsync(Victim victim, TimeSpan duration, CancellationToken end)
    {
        var outage = outages.Begin(victim.Name, clock.Now);
        log(string.Create(CultureInfo.InvariantCulture, $"{Stamp()} SIGSTOP {victim.Name} for {duration.TotalSeconds:F1} s"));
        victim.Pause();
        try
        {
            await clock.DelayAsync(duration, end);
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // the storm is over
        }

        victim.Resume();
        await BackAsync(victim, outage);
    }

    private async Task BackAsync(Victim victim, Outages.Outage outage)
    {
        var struckAt = clock.Now;
        while (!await victim.IsUpAsync(CancellationToken.None))
        {
            if (clock.Now - struckAt > TimeSpan.FromSeconds(120))
            {
                throw new TimeoutException($"{victim.Name} did not come back within two minutes.");
            }

            await clock.DelayAsync(PollInterval);
        }

        outage.End(clock.Now);
        log(string.Create(
            CultureInfo.InvariantCulture, $"{Stamp()} {victim.Name} is back after {(clock.Now - outage.From).TotalSeconds:F1} s"));
    }

    private string Stamp() => string.Create(CultureInfo.InvariantCulture, $"{clock.Now.TotalSeconds,6:F1}");

    private TimeSpan Seconds(double least, double most) => TimeSpan.FromSeconds(least + (_random.NextDouble() * (most - least)));
}
