using Marketplace.Grains.Limits.Storage;
using Marketplace.Limits;
using Marketplace.Trouble;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Marketplace.Grains.Limits;

/// <summary>Loads, persists and answers; the rule is <see cref="FixedWindowBucket"/>'s.</summary>
internal sealed partial class BucketGrain(
    IBucketStore store, IOptionsMonitor<LimitsOptions> options, TimeProvider clock, ILogger<BucketGrain> logger)
    : Grain, IBucketGrain
{
    /// <summary>A write for every twentieth permit: what a crash may cost is 5 % of the limit.</summary>
    private const int StepsPerWindow = 20;

    private static readonly TimeSpan HandOverWithin = TimeSpan.FromSeconds(2);

    private readonly long _startedAt = clock.GetTimestamp();
    private FixedWindowBucket? _bucket;
    private long? _etag;

    private TimeSpan Now => clock.GetElapsedTime(_startedAt);

    public async ValueTask<PermitGrant> Exchange(PermitRequest request)
    {
        // Loaded here and not on activation, so that storage trouble reaches the caller as such.
        var bucket = _bucket ??= await LoadAsync();
        while (bucket.Prepare(request, Now) is { } reservation)
        {
            await PersistAsync(reservation);
            bucket.Commit(reservation);
            if (bucket.IsOpen(Now))
            {
                break; // else the write outlasted the window, and the next one has to be opened
            }
        }

        return bucket.Answer(request, Now);
    }

    /// <summary>Leaves the exact count behind, so that an orderly move costs no permit.</summary>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_bucket is not { } bucket || !bucket.IsOpen(Now) || bucket.Granted == bucket.Reserved)
        {
            return;
        }

        try
        {
            await PersistAsync(new(Opens: false, bucket.Granted, EndsAt: default)).WaitAsync(HandOverWithin, clock, cancellationToken);
        }
#pragma warning disable CA1031 // whatever failed, the row then says what a crash would have left
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNotHandedOver(this.GetPrimaryKeyString(), error.Message);
        }
    }

    private async Task<FixedWindowBucket> LoadAsync()
    {
        var key = this.GetPrimaryKeyString();
        if (!options.CurrentValue.Policies.TryGetValue(BucketKey.Parse(key).Policy, out var policy))
        {
            throw new ArgumentException($"There is no policy of that name on this silo; Limits:Policies must be alike everywhere.");
        }

        var bucket = new FixedWindowBucket(
            policy.Limit, policy.Window, Math.Max(1, policy.Limit / StepsPerWindow), Random.Shared.NextInt64(long.MaxValue / 2));
        if (await store.ReadAsync(key) is { } row)
        {
            _etag = row.Etag;
            if (row.Remaining > TimeSpan.Zero)
            {
                bucket.Restore(row.Reserved, row.Remaining, Now);
            }
        }

        return bucket;
    }

    private async Task PersistAsync(Reservation reservation)
    {
        try
        {
            _etag = await store.WriteAsync(new(
                this.GetPrimaryKeyString(), reservation.Opens, reservation.Reserved, reservation.EndsAt - Now, _etag))
                ?? throw new UnavailableException("Another activation of this bucket has written.");
        }
        catch
        {
            // Whether the write took is unknown, or another activation is the owner: what this one believes is worth nothing.
            // The next call starts from the row, as after a crash.
            _bucket = null;
            _etag = null;
            throw;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Bucket {Key} could not hand over its exact count: {Reason}")]
    private partial void LogNotHandedOver(string key, string reason);
}
