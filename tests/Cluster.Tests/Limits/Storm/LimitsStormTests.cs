using System.Globalization;
using Marketplace.Cluster;
using Marketplace.Standalone.PrivatePostgres;
using Marketplace.Testing;

namespace Cluster.Tests.Limits.Storm;

/// <summary>The storm has a cluster of its own, and the machine too.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class StormCollection
{
    public const string Name = "storm";
}

/// <summary>
/// Hundreds of addresses ask for more than their limit while processes are killed and stopped at random, and an observer
/// who knows nothing but the clients' answers judges. <c>STORM_SEED</c> repeats a storm; <c>make soak</c> takes five minutes.
/// </summary>
[Collection(StormCollection.Name)]
[Trait(Soak.Trait, "yes")]
public sealed class LimitsStormTests(ITestOutputHelper output)
{
    private const int Limit = 20;
    private const double Demand = 1.8; // times the limit, so that a window that lost some seconds to trouble is still used up
    private static readonly int Addresses = Soak.Choose(inTest: 200, inSoak: 500);
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(Soak.Choose(inTest: 20, inSoak: 30));
    private static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(90);
    private readonly StormClock _clock = new(TimeProvider.System);
    private readonly Outages _outages = new();

    [Fact]
    public async Task Kill_9_and_SIGSTOP_of_anything_at_random_never_let_a_window_admit_more_than_its_limit()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("STORM_SEED"), CultureInfo.InvariantCulture, out var given)
            ? given
            : Random.Shared.Next();
        var duration = Soak.Choose(inTest: TimeSpan.FromSeconds(45), inSoak: TimeSpan.FromMinutes(5));
        Say($"STORM_SEED={seed}, {duration.TotalSeconds} s, {Addresses} addresses, {Limit} in {Window.TotalSeconds} s each, asked {Demand} times");
        var directory = Directory.CreateTempSubdirectory("marketplace-storm-").FullName;
        try
        {
            await using var cluster = await StartAsync(directory);
            using var load = new StormLoad(cluster.Frontends, Addresses, Addresses * Limit * Demand / Window.TotalSeconds, seed, _clock);
            var chaos = await StormAsync(cluster, load, seed, duration);
            Say($"struck: {string.Join(", ", chaos.Counts.OrderBy(count => count.Key).Select(count => $"{count.Value} x {count.Key}"))}");
            Check(load);
            await CheckQuietAsync(cluster, load);
        }
        finally
        {
            await PostgresServer.TryDeleteAsync(Path.Combine(directory, "postgres"), TimeProvider.System);
            Directory.Delete(directory, recursive: true);
        }
    }

    private async Task<LocalCluster> StartAsync(string directory)
    {
        var settings = new Dictionary<string, string>
        {
            ["Database__MinPoolSize"] = "2",
            ["Database__MaxPoolSize"] = "20",
            ["Limits__Policies__general__Limit"] = Limit.ToString(CultureInfo.InvariantCulture),
            ["Limits__Policies__general__Window"] = Window.ToString(),
            ["Limits__Policies__general__Trouble"] = "Deny", // a local share may admit more, openly
        };

        return await LocalCluster.StartAsync(
            new LocalClusterOptions
            {
                Directory = directory,
                Silos = 3,
                Frontends = 3,
                WithNginx = false,
                Postgres = PostgresTuning.ThrowAway,
                Settings = settings,
            },
            TextWriter.Null);
    }

    private async Task<Chaos> StormAsync(LocalCluster cluster, StormLoad load, int seed, TimeSpan duration)
    {
        _clock.Restart();
        var chaos = new Chaos(Victim.AllOf(cluster), seed, _clock, _outages, output.WriteLine);
        using var calm = new CancellationTokenSource(duration, TimeProvider.System);
        using var silence = new CancellationTokenSource();
        var sending = load.RunAsync(silence.Token);
        await chaos.RunAsync(calm.Token);
        await silence.CancelAsync();
        await sending;
        return chaos;
    }

    private void Check(StormLoad load)
    {
        var report = new StormReport(load.Answers, Limit, Window);
        foreach (var line in report.Lines())
        {
            Say(line);
        }

        Say($"{load.NotSent} requests were not sent: no frontend took any");
        foreach (var answer in report.Over.Take(1).SelectMany(over => load.Answers[over.Address]).OrderBy(answer => answer.SentAt))
        {
            Say(Invariant($"    {answer}"));
        }

        Assert.True(report.Over.Count == 0, string.Join(Environment.NewLine, report.Over.Take(20).Select(over => Invariant(
            $"address {over.Address} admitted {over.Window.Admitted} between {over.Window.From.TotalSeconds:F2} and {over.Window.Until.TotalSeconds:F2} s"))));
        Assert.True(report.Judged >= Addresses, "hardly anything was admitted");
        Assert.True(!Soak.IsOn || report.Sharpness > 0.5, "the judge would have missed most of what it looks for");

        var all = load.Answers.SelectMany(answers => answers).ToList();
        Assert.DoesNotContain(all, answer => answer.Status is not (200 or 429 or 503 or Answer.Broken or Answer.TimedOut));
        Assert.DoesNotContain(all, answer => answer is { Status: 429 or 503, HasRetryAfter: false });
        var hung = all.Where(answer => answer.Status == Answer.TimedOut
            && !_outages.Touch(answer.Frontend, answer.SentAt, answer.AnsweredAt)).ToList();
        Assert.True(hung.Count == 0, Invariant($"{hung.Count} requests to frontends that were alive had no answer within {StormLoad.TimeOut.TotalSeconds} s, first {hung.FirstOrDefault()}"));
    }

    /// <summary>When it is quiet again the limiter is exact again.</summary>
    private async Task CheckQuietAsync(LocalCluster cluster, StormLoad load)
    {
        foreach (var process in cluster.Silos.Concat(cluster.Frontends))
        {
            await ClusterFixture.EventuallyAsync(() => process.IsReadyAsync(), BackWithin, $"{process.Name} did not come back");
        }

        var quietAt = _clock.Now;
        var round = 0;
        await ClusterFixture.EventuallyAsync(
            async () =>
            {
                var probes = Enumerable.Range(0, 50).Select(i => load.AskAsync($"192.0.{2 + round}.{i + 1}", cluster.Frontends[i % 3]));
                round = (round + 1) % 200;
                return (await Task.WhenAll(probes)).All(answer => answer.Status == 200);
            },
            BackWithin,
            "requests still fail though all processes are back");
        Say($"all of it admits again {(_clock.Now - quietAt).TotalSeconds:F1} s after the last process was ready");

        var askedAt = _clock.Now;
        var answers = await Task.WhenAll(
            Enumerable.Range(0, Limit + 20).Select(i => load.AskAsync("198.18.0.1", cluster.Frontends[i % 3])));
        Assert.InRange(_clock.Now - askedAt, TimeSpan.Zero, Window);
        Assert.Equal(Limit, answers.Count(answer => answer.Status == 200));
        Assert.Equal(20, answers.Count(answer => answer.Status == 429));
    }

    private void Say(FormattableString text) => Say(Invariant(text));

    private void Say(string text) => output.WriteLine(text);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
