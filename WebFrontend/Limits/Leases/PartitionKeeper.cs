using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>Looks after the partitions while the frontend runs, and hands everything back when it stops.</summary>
internal sealed partial class PartitionKeeper(
    Partitions partitions, BucketLink link, FrontendLimitMeters meters, TimeProvider clock, ILogger<PartitionKeeper> logger)
    : BackgroundService, IHostedLifecycleService
{
    /// <summary>A third of the time that a concurrency permit in use is held without word from its frontend.</summary>
    public static readonly TimeSpan Rhythm = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan HandBackSoonAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HandBackAtLatestAfter = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LetGoAfter = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LetGoSoonAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan HandBackWithin = TimeSpan.FromSeconds(5);

    /// <summary>Partitions under other algorithms are looked at once in so many rounds: there may be a million.</summary>
    private const int RoundsBetweenSweeps = 5;

    private const int HandBacksAtOnce = 128;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Rhythm, clock);
        for (var round = 0; await timer.WaitForNextTickAsync(stoppingToken); round++)
        {
            await link.CountFrontendsAsync(Rhythm, stoppingToken);
            foreach (var table in partitions.Tables)
            {
                if (round % RoundsBetweenSweeps == 0 || table.Context.Current.Options.Algorithm == LimitAlgorithm.Concurrency)
                {
                    // What a client has left, and what it needed last time, is worth keeping while there is room.
                    table.Sweep(
                        partitions.IsHalfFull ? HandBackSoonAfter : HandBackAfter(table.Context.Current.Options),
                        partitions.IsHalfFull ? LetGoSoonAfter : LetGoAfter);
                }
            }
        }
    }

    /// <summary>
    /// A person reads for a while between two pages, and shouldn't cost two grain calls each time; whoever needs the permits
    /// meanwhile recalls them. A frontend that dies takes what it holds with it until the window ends.
    /// </summary>
    private static TimeSpan HandBackAfter(LimitPolicyOptions policy) =>
        TimeSpan.FromTicks(Math.Clamp(policy.Window.Ticks / 4, HandBackSoonAfter.Ticks, HandBackAtLatestAfter.Ticks));

    /// <summary>
    /// After the drain and before the link to the silos goes: permits in hand would be lost until their window ends. Requests that
    /// are still under way get theirs one by one from then on.
    /// </summary>
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        link.IsDraining = true;
        using var deadline = new CancellationTokenSource(HandBackWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await Parallel.ForEachAsync(
                partitions.Tables.SelectMany(table => table.Kept),
                new ParallelOptions { MaxDegreeOfParallelism = HandBacksAtOnce, CancellationToken = either.Token },
                async (limiter, token) => await limiter.HandBackAllAsync(token));
        }
        catch (OperationCanceledException)
        {
            LogNotAllHandedBack();
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The last word on what limiting cost; nobody collects meters of a process that is gone.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        foreach (var totals in meters.Totals())
        {
            LogTotals(
                totals.Policy, totals.Admitted, totals.Denied, totals.ShadowDenied, totals.Uncounted, totals.GrainCalls, totals.GrainCallsPerRequest);
        }

        return Task.CompletedTask;
    }

    [LoggerMessage(LogLevel.Warning, "Not all permits in hand could be handed back in time; they are lost until their windows end")]
    private partial void LogNotAllHandedBack();

    [LoggerMessage(
        LogLevel.Information,
        "{Policy}: admitted {Admitted}, denied {Denied}, shadow-denied {ShadowDenied}, uncounted {Uncounted}, grain calls {GrainCalls}, "
        + "calls per admitted request {GrainCallsPerRequest:F4}")]
    private partial void LogTotals(
        string policy, long admitted, long denied, long shadowDenied, long uncounted, long grainCalls, double grainCallsPerRequest);
}
