using System.Threading.Channels;
using Marketplace.Trouble;

namespace Marketplace.Grains.Storage;

/// <summary>
/// Carries out many operations in one round trip; each caller is answered when its own has been committed. An operation that
/// comes alone is carried out at once. Where they come faster than <see cref="Spacing"/>, what came meanwhile goes together: a
/// transaction costs PostgreSQL and us far more than another row in it.
/// </summary>
/// <typeparam name="TIn">An operation.</typeparam>
/// <typeparam name="TOut">Its result.</typeparam>
internal sealed class GroupCommit<TIn, TOut> : IAsyncDisposable
{
    /// <summary>Past this the statement grows faster than the round trips shrink.</summary>
    private const int BatchMax = 200;

    /// <summary>Batches under way at once: while PostgreSQL flushes one to disk, the next is on its way.</summary>
    private const int Lanes = 4;

    /// <summary>From the beginning of a batch to that of the next, at least.</summary>
    private static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(5);

    /// <summary>Waiting operations; past it a caller is told at once that the service is unavailable.</summary>
    private const int WaitingMax = 100_000;

    private readonly Channel<Pending> _waiting =
        Channel.CreateBounded<Pending>(new BoundedChannelOptions(WaitingMax) { SingleReader = true });

    private readonly Func<IReadOnlyList<TIn>, Task<IReadOnlyList<TOut>>> _execute;
    private readonly Func<Exception, bool> _isFaultOfOne;
    private readonly Action<int>? _sized;
    private readonly SemaphoreSlim _collecting = new(1, 1); // one lane at a time: an operation wakes one and not all
    private readonly Task[] _lanes;
    private long _collectedAt = TimeProvider.System.GetTimestamp();

    /// <param name="execute">Carries out a batch in one transaction; answers in the order of the operations.</param>
    /// <param name="isFaultOfOne">Whether a failure is due to one member: then the members are tried one by one.</param>
    /// <param name="sized">Told how many operations each batch has.</param>
    public GroupCommit(
        Func<IReadOnlyList<TIn>, Task<IReadOnlyList<TOut>>> execute, Func<Exception, bool> isFaultOfOne, Action<int>? sized = null)
    {
        (_execute, _isFaultOfOne, _sized) = (execute, isFaultOfOne, sized);
        _lanes = [.. Enumerable.Range(0, Lanes).Select(_ => Task.Run(RunLaneAsync))];
    }

    /// <summary>Completes when the operation has been committed, or fails as it failed.</summary>
    /// <exception cref="UnavailableException">Too many operations are waiting, or the process is stopping.</exception>
    public ValueTask<TOut> ExecuteAsync(TIn operation)
    {
        var pending = new Pending(operation);
        return _waiting.Writer.TryWrite(pending)
            ? new(pending.Task)
            : throw new UnavailableException($"More than {WaitingMax} operations of one kind wait for PostgreSQL, or the silo is stopping.");
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await Task.WhenAll(_lanes);
        _collecting.Dispose();
    }

    private async Task RunLaneAsync()
    {
        for (var batch = new List<Pending>(BatchMax); await TryCollectAsync(batch); batch.Clear())
        {
            _sized?.Invoke(batch.Count);
            await CommitAsync(batch);
        }
    }

    /// <summary>False when there will be no more.</summary>
    private async Task<bool> TryCollectAsync(List<Pending> batch)
    {
        await _collecting.WaitAsync();
        try
        {
            if (!await _waiting.Reader.WaitToReadAsync())
            {
                return false;
            }

            if (Spacing - TimeProvider.System.GetElapsedTime(_collectedAt) is { Ticks: > 0 } early)
            {
                await Task.Delay(early, TimeProvider.System);
            }

            _collectedAt = TimeProvider.System.GetTimestamp();
            while (batch.Count < BatchMax && _waiting.Reader.TryRead(out var pending))
            {
                batch.Add(pending);
            }

            return true;
        }
        finally
        {
            _collecting.Release();
        }
    }

    private async Task CommitAsync(IReadOnlyList<Pending> batch)
    {
        try
        {
            var results = await _execute([.. batch.Select(pending => pending.Operation)]);
            for (var i = 0; i < batch.Count; i++)
            {
                batch[i].SetResult(results[i]);
            }
        }
#pragma warning disable CA1031 // every failure belongs to the callers that wait for it
        catch (Exception error)
#pragma warning restore CA1031
        {
            if (batch.Count > 1 && _isFaultOfOne(error))
            {
                foreach (var pending in batch)
                {
                    await CommitAsync([pending]);
                }

                return;
            }

            foreach (var pending in batch)
            {
                pending.TrySetException(error);
            }
        }
    }

    /// <summary>Continuations run elsewhere: a lane must not carry out the callers' work.</summary>
    private sealed class Pending(TIn operation) : TaskCompletionSource<TOut>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TIn Operation => operation;
    }
}
