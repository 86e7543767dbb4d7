using Marketplace.Trouble;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Calls to grains in the order of their making: for each key one call in flight, with whatever came during the last call in the
/// next one. A call whose answer was lost is repeated as it was, which its receiver must recognise.
/// </summary>
/// <param name="beReady">Waits until calls may be made at all. Items have their places by then, so that who waits for it keeps his.</param>
/// <param name="send">Sends a batch to the grain of a key; answers in its order.</param>
/// <param name="isWorthRepeating">Whether a batch that failed so may succeed in a moment.</param>
/// <param name="clock">The clock.</param>
internal sealed class OrderedLanes<TItem, TAnswer>(
    Func<ValueTask> beReady,
    Func<string, IReadOnlyList<TItem>, Task<IReadOnlyList<TAnswer>>> send,
    Func<Exception, bool> isWorthRepeating,
    TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue<Waiting>> _lanes = new(StringComparer.Ordinal);

    /// <summary>
    /// Queues an item, made under the lock that orders all of them, and completes with the answer to it. If the making throws,
    /// nothing is queued.
    /// </summary>
    /// <exception cref="UnavailableException">Too many wait, or the grain could not be reached.</exception>
    public Task<TAnswer> SendAsync(string key, Func<TItem> make)
    {
        bool isIdle;
        Queue<Waiting>? lane;
        Waiting waiting;
        lock (_lock)
        {
            isIdle = !_lanes.TryGetValue(key, out lane);
            if (lane?.Count >= BackplaneLimits.OutboxMessagesMax)
            {
                throw new UnavailableException($"Channel {key}: {lane.Count} messages of this frontend wait already.");
            }

            waiting = new(make());
            if (isIdle)
            {
                _lanes.Add(key, lane = new());
            }

            lane!.Enqueue(waiting);
        }

        if (isIdle)
        {
            // At once, where it can be: a message that changes threads waits for the other to wake. A scheduler of its own, a
            // grain's say, would be held up by a lane.
            _ = TaskScheduler.Current == TaskScheduler.Default ? RunAsync(key, lane) : Task.Run(() => RunAsync(key, lane));
        }

        return waiting.Task;
    }

    private async Task RunAsync(string key, Queue<Waiting> lane)
    {
        while (Next(key, lane) is { } batch)
        {
            try
            {
                await beReady();
                var answers = await TryUntilSentAsync(key, [.. batch.Select(waiting => waiting.Item)]);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].TrySetResult(answers[i]);
                }
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                batch.ForEach(waiting => waiting.TrySetException(error));
            }
        }
    }

    private List<Waiting>? Next(string key, Queue<Waiting> lane)
    {
        lock (_lock)
        {
            if (lane.Count == 0)
            {
                _lanes.Remove(key);
                return null;
            }

            var batch = new List<Waiting>();
            while (batch.Count < BackplaneLimits.PublishMessagesMax && lane.TryDequeue(out var waiting))
            {
                batch.Add(waiting);
            }

            return batch;
        }
    }

    private async Task<IReadOnlyList<TAnswer>> TryUntilSentAsync(string key, IReadOnlyList<TItem> batch)
    {
        for (var startedAt = clock.GetTimestamp(); ; await Task.Delay(BackplaneLimits.RetryAfter, clock))
        {
            try
            {
                return await send(key, batch).WaitAsync(BackplaneLimits.CallWithin, clock);
            }
            catch (Exception error) when (isWorthRepeating(error))
            {
                if (clock.GetElapsedTime(startedAt) >= BackplaneLimits.Patience)
                {
                    throw new UnavailableException($"Channel {key} could not be reached.", error);
                }
            }
        }
    }

    private sealed class Waiting(TItem item) : TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TItem Item => item;
    }
}
