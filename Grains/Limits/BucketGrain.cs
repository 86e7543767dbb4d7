using Marketplace.Grains.Limits.Pools;
using Marketplace.Grains.Limits.Storage;
using Marketplace.Limits;
using Marketplace.Trouble;
using Microsoft.Extensions.Logging;

namespace Marketplace.Grains.Limits;

/// <summary>Loads, persists, recalls and answers; the rule is <see cref="Bucket"/>'s.</summary>
internal sealed partial class BucketGrain(
    IBucketStore store, ILimitPolicies policies, LimitMeters meters, SilentHolders silent, TimeProvider clock, ILogger<BucketGrain> logger)
    : Grain, IBucketGrain, IDisposable
{
    /// <summary>
    /// A client that came back may be about to do so again: to open its bucket anew costs several times what an exchange does. One
    /// that came once is let go of sooner, by the collection age, for a flood is made of those.
    /// </summary>
    private static readonly TimeSpan KeepFor = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan HandOverWithin = TimeSpan.FromSeconds(2);

    /// <summary>Writes for one request, after which it is left to ask again.</summary>
    private const int WritesMax = 3;

    private readonly long _startedAt = clock.GetTimestamp();
    private readonly SemaphoreSlim _oneOpens = new(1, 1); // hand-backs come between
    private Bucket? _bucket;
    private long? _etag;
    private bool _isLeaving;

    private string Key => this.GetPrimaryKeyString();

    private TimeSpan Now => clock.GetElapsedTime(_startedAt);

    public void Dispose() => _oneOpens.Dispose();

    public async ValueTask<PermitGrant> Exchange(PermitRequest request)
    {
        silent.Heard(request.Holder);
        if (_bucket is null)
        {
            await OneAtATimeAsync(() => OpenAsync(request)); // here and not on activation, so that storage trouble reaches the caller
        }
        else
        {
            DelayDeactivation(KeepFor);
        }

        var bucket = Current();
        bucket.Hear(request, Now);
        var now = await PersistForAsync(request, bucket);
        if (bucket.IsShortOf(request, now) && await RecallAsync(bucket, request.Holder))
        {
            now = await PersistForAsync(request, bucket);
        }

        return bucket.Answer(request, now);
    }

    public async ValueTask<bool> HandBack(PermitHandBack handBack)
    {
        silent.Heard(handBack.Holder);
        if (_bucket is null && handBack.Returned.Count > 0)
        {
            await OneAtATimeAsync(WakeAsync);
        }

        if (_bucket is not { } bucket)
        {
            return true;
        }

        var taken = bucket.TryHandBack(handBack, Now);
        if (taken)
        {
            meters.Returned(bucket.Pool.Policy, handBack.Returned.Count);
        }

        SignalRecallAnswered(bucket);
        TellReopened(bucket.TakeReopened(Now));
        return taken;
    }

    public async ValueTask<BucketView> Peek()
    {
        if (_bucket is not null)
        {
            return Current().View(Now);
        }

        var (policy, version) = PolicyOf(Key);
        var pool = PermitPool.For(policy, lot: 0);
        var askedAt = Now;
        if (await store.ReadAsync(Key) is { } row)
        {
            pool.Restore(row.State, row.Age, askedAt, Now);
        }

        return new Bucket(pool, version, rounds: 0).View(Now);
    }

    public async ValueTask Reset() => await OneAtATimeAsync(ResetAsync);

    private async Task ResetAsync()
    {
        var (policy, version) = PolicyOf(Key);
        var bucket = new Bucket(PermitPool.For(policy, NewName()), version, NewName());
        if (_bucket is null)
        {
            if (await store.ReadAsync(Key) is not { } row)
            {
                return; // nothing is counted
            }

            _etag = row.Etag;
        }

        var before = _bucket;
        await PersistAsync(bucket.Pool.Exact(Now));
        _bucket = bucket;
        TellReopened(before?.TakeRefused() ?? []);
    }

    /// <summary>Leaves the exact count behind, and who holds leases, so that an orderly move costs no permit.</summary>
    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _isLeaving = true;
        if (_bucket is not { } bucket)
        {
            return;
        }

        _bucket = null; // whatever comes now is void
        var handOver = bucket.HandOver(static holder => (holder as GrainReference)?.GrainId.ToString(), Now);
        if (handOver is null && bucket.Pool.ResetsIn(Now) == TimeSpan.Zero)
        {
            return; // nothing is used: the row doesn't matter any more
        }

        try
        {
            await PersistAsync(bucket.Pool.Exact(Now), handOver?.ToJson()).WaitAsync(HandOverWithin, clock, cancellationToken);
        }
#pragma warning disable CA1031 // whatever failed, the row then says what a crash would have left
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNotHandedOver(Key, error.Message);
        }
    }

    private void TellReopened(List<IPermitHolder> refused)
    {
        foreach (var holder in refused)
        {
            holder.Reopened(Key).Ignore();
        }
    }

    /// <summary>Lots and recalls of no two activations have the same name.</summary>
    private static long NewName() => Random.Shared.NextInt64(long.MaxValue / 2);

    private (LimitPolicyOptions Policy, int Version) PolicyOf(string key) =>
        policies.Find(BucketKey.Parse(key).Policy) is { } policy
            ? (policy.Options, policy.Version)
            : throw new ArgumentException("There is no policy of that name on this silo; Limits:Policies must be alike everywhere.");

    /// <summary>The bucket, under the policy as it is now.</summary>
    private Bucket Current()
    {
        var bucket = _bucket ?? throw new UnavailableException("The bucket is moving.");
        var (policy, version) = PolicyOf(Key);
        if (version != bucket.PolicyVersion)
        {
            bucket.Adopt(policy, version, NewName(), Now);
        }

        return bucket;
    }

    private async Task OneAtATimeAsync(Func<Task> open)
    {
        await _oneOpens.WaitAsync();
        try
        {
            await open();
        }
        finally
        {
            _oneOpens.Release();
        }
    }

    /// <summary>
    /// Permits come back to a bucket that has left memory: who held them is in its row, if it left in an orderly way. They would
    /// be lost until the window's end.
    /// </summary>
    private async Task WakeAsync()
    {
        if (_isLeaving)
        {
            throw new UnavailableException("The bucket is moving."); // what it hands over mustn't be taken out of the row again
        }

        if (_bucket is null && await store.ReadAsync(Key) is { HandOver: not null })
        {
            await OpenAsync(request: null);
        }
    }

    /// <summary>One round trip, whether the partition is new or known.</summary>
    private async Task OpenAsync(PermitRequest? request)
    {
        if (_bucket is not null)
        {
            return;
        }

        var (policy, version) = PolicyOf(Key);
        var bucket = new Bucket(PermitPool.For(policy, NewName()), version, NewName());
        var first = (request is { } asked ? bucket.Prepare(asked, Now) : null) ?? bucket.Pool.Exact(Now);
        var askedAt = Now;
        var opened = await store.OpenAsync(new(Key, first.State, first.Life, Etag: null))
            ?? throw new UnavailableException("Another activation of this bucket has written.");
        meters.Wrote();
        _etag = opened.Etag;
        if (opened.Existing is not { } row)
        {
            bucket.Pool.Commit(first, slack: Now - askedAt);
        }
        else
        {
            bucket.Pool.Restore(row.State, row.Age, askedAt, Now);
            if (row.HandOver is { } json)
            {
                bucket.TakeOver(BucketHandOver.FromJson(json), row.Age, askedAt, CallbackOf, Now);
            }
        }

        _bucket = bucket;
    }

    private IPermitHolder CallbackOf(string grainId) => GrainFactory.GetGrain(GrainId.Parse(grainId)).AsReference<IPermitHolder>();

    /// <returns>The time to answer at: a moment later what was reserved may be over, and the request would be refused for that.</returns>
    private async Task<TimeSpan> PersistForAsync(PermitRequest request, Bucket bucket)
    {
        // More than once when the write outlasted what it was for: a window that is shorter than a write.
        for (var writes = 0; ; writes++)
        {
            var now = Now;
            if (bucket.Prepare(request, now) is not { } reservation)
            {
                return now;
            }

            if (writes == WritesMax)
            {
                throw new UnavailableException("The storage is slower than this policy's window.");
            }

            await PersistAsync(reservation);
            bucket.Pool.Commit(reservation);
        }
    }

    private async Task PersistAsync(Reservation reservation, string? handOver = null)
    {
        try
        {
            _etag = await store.WriteAsync(new(Key, reservation.State, reservation.Life, _etag, handOver))
                ?? throw new UnavailableException("Another activation of this bucket has written.");
            meters.Wrote();
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
