using Marketplace.Frontends;
using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>
/// The way to the buckets, with a breaker: when many calls have failed in a row and none has succeeded, no silo can be reached,
/// and all but one call now and then fail at once, so that requests don't wait in vain.
/// </summary>
internal sealed partial class BucketLink(
    IGrainFactory grains, PermitRecalls recalls, TimeProvider clock, ILogger<BucketLink> logger) : IBucketLink
{
    private const int FailuresInARow = 20;

    private static readonly TimeSpan ProbeEvery = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private IPermitHolder? _callback; // Orleans holds the observer weakly; this object holds it by its constructor
    private long _number;
    private int _failures;
    private long _probedAt;
    private volatile int _liveFrontends = 1;

    public Guid Holder { get; } = Guid.NewGuid();

    public bool IsDraining { get; set; }

    public int LiveFrontends => _liveFrontends;

    public IPermitHolder? Callback => _callback ??= grains.CreateObjectReference<IPermitHolder>(recalls);

    public long NextNumber() => Interlocked.Increment(ref _number);

    public ValueTask<PermitGrant> ExchangeAsync(string bucket, PermitRequest request) =>
        WatchedAsync(grains.GetGrain<IBucketGrain>(bucket).Exchange, request);

    public ValueTask<bool> HandBackAsync(string bucket, PermitHandBack handBack) =>
        WatchedAsync(grains.GetGrain<IBucketGrain>(bucket).HandBack, handBack);

    /// <summary>Asks how many frontends share a limit while its bucket can't be reached; the last known number stays if that fails.</summary>
    public async Task CountFrontendsAsync(TimeSpan within, CancellationToken cancellationToken)
    {
        try
        {
            var epochs = await grains.GetGrain<IFrontendLeasesGrain>(0).GetEpochs().AsTask().WaitAsync(within, clock, cancellationToken);
            _liveFrontends = Math.Max(1, epochs.Live.Count);
        }
#pragma warning disable CA1031 // what is known stays
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            // the same trouble is logged where it hurts
        }
    }

    private async ValueTask<TOut> WatchedAsync<TIn, TOut>(Func<TIn, ValueTask<TOut>> call, TIn argument)
    {
        if (Volatile.Read(ref _failures) >= FailuresInARow && !MayProbe())
        {
            throw new LinkBrokenException();
        }

        try
        {
            var answer = await call(argument);
            if (Interlocked.Exchange(ref _failures, 0) >= FailuresInARow)
            {
                LogMended();
            }

            return answer;
        }
        catch
        {
            if (Interlocked.Increment(ref _failures) == FailuresInARow)
            {
                LogBroken(FailuresInARow);
            }

            throw;
        }
    }

    private bool MayProbe()
    {
        lock (_gate)
        {
            if (clock.GetElapsedTime(_probedAt) < ProbeEvery)
            {
                return false;
            }

            _probedAt = clock.GetTimestamp();
            return true;
        }
    }

    [LoggerMessage(LogLevel.Warning, "No bucket can be reached ({Failures} calls failed in a row): policies answer by their trouble mode")]
    private partial void LogBroken(int failures);

    [LoggerMessage(LogLevel.Information, "Buckets can be reached again")]
    private partial void LogMended();
}
