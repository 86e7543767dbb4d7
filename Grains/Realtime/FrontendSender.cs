using Marketplace.Realtime;
using Marketplace.Realtime.History;

namespace Marketplace.Grains.Realtime;

/// <summary>
/// What a frontend lacks, given the last message that it has: as much as goes into one call, or, when history no longer reaches
/// back to it, where to go on from.
/// </summary>
internal delegate Task<(long Epoch, IReadOnlyList<NumberedMessage> Messages, bool IsLost)> CatchUp(HistoryPosition known);

/// <summary>
/// Carries one channel's messages to one frontend: one call in flight, in order, tried again until the frontend took them or
/// its lease ended. Runs on its grain's scheduler, so it needs no lock.
/// </summary>
/// <param name="channel">The channel's name.</param>
/// <param name="frontend">Whom to call.</param>
/// <param name="isAlive">Whether a lease still lives; may throw when that can't be found out.</param>
/// <param name="clock">The clock.</param>
/// <param name="onFailure">Told of every call that failed.</param>
internal sealed class FrontendSender(
    string channel,
    FrontendAddress frontend,
    Func<long, Task<bool>> isAlive,
    TimeProvider clock,
    Action<Exception> onFailure)
{
    private readonly Queue<Waiting> _queue = [];
    private bool _stopped;

    /// <summary>The highest change that the frontend said <c>Listen</c> with; -1 if it never did and is only asked.</summary>
    public long Change { get; set; } = -1;

    /// <summary>Messages not yet taken.</summary>
    public int Backlog { get; private set; }

    /// <summary>Completes when the queue has run empty.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Called once when the frontend need not be called any more.</summary>
    public required Action<FrontendSender> OnGone { get; init; }

    /// <summary>Where the frontend gets what it lacks; null if the channel keeps nothing.</summary>
    public CatchUp? CatchUp { get; init; }

    public long Epoch => frontend.Epoch;

    public FrontendAddress Frontend => frontend;

    /// <summary>
    /// Queues messages of one of the channel's epochs. Completes with the frontend's claims once it has taken them, or with null when it turned out not to
    /// listen or not to live.
    /// </summary>
    public Task<IReadOnlyList<bool>?> Send(long channelEpoch, IReadOnlyList<NumberedMessage> messages)
    {
        var waiting = new Waiting(channelEpoch, messages, new(TaskCreationOptions.RunContinuationsAsynchronously));
        _queue.Enqueue(waiting);
        Backlog += messages.Count;
        if (Running.IsCompleted)
        {
            Running = RunAsync();
        }

        return waiting.Taken.Task;
    }

    /// <summary>Forgets what waits, answered as not taken: the frontend will find that it is missing and ask for it.</summary>
    public void Skip()
    {
        while (_queue.TryDequeue(out var waiting))
        {
            Backlog -= waiting.Messages.Count;
            waiting.Taken.TrySetResult(null);
        }
    }

    /// <summary>Sends no more; what waits is answered as not taken, or fails with <paramref name="because"/>.</summary>
    public void Stop(Exception? because = null)
    {
        _stopped = true;
        while (_queue.TryDequeue(out var waiting))
        {
            if (because is null)
            {
                waiting.Taken.TrySetResult(null);
            }
            else
            {
                waiting.Taken.TrySetException(because);
            }
        }
    }

    private async Task RunAsync()
    {
        while (!_stopped && _queue.Count > 0)
        {
            var batch = Batch();
            var changeBefore = Change;
            switch (await TryDeliverAsync(batch))
            {
                case { Verdict: DeliveryVerdict.Taken } answer:
                    Complete(batch, answer.Claimed);
                    break;

                // An answer from before a Listen that came in meanwhile counts for nothing.
                case { Verdict: DeliveryVerdict.NotListening } when Change == changeBefore:
                    Leave();
                    break;
                case { Verdict: DeliveryVerdict.Missing } answer when await TryCatchUpAsync(answer.Known):
                    break;
                default:
                    if (!await IsAliveAsync())
                    {
                        Leave();
                        break;
                    }

                    await Task.Delay(RealtimeLimits.RetryAfter, clock);
                    break;
            }
        }
    }

    /// <summary>As many whole publishes as fit in one call. They stay queued until they were taken.</summary>
    private List<Waiting> Batch()
    {
        var batch = new List<Waiting>();
        var count = 0;
        foreach (var waiting in _queue)
        {
            count += waiting.Messages.Count;
            if (batch.Count > 0 && (count > RealtimeLimits.DeliveryMessagesMax || waiting.ChannelEpoch != batch[0].ChannelEpoch))
            {
                break;
            }

            batch.Add(waiting);
        }

        return batch;
    }

    private async Task<DeliveryAnswer?> TryDeliverAsync(List<Waiting> batch)
    {
        try
        {
            return await DeliverAsync(batch[0].ChannelEpoch, batch.Count == 1 ? batch[0].Messages : [.. batch.SelectMany(waiting => waiting.Messages)]);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            onFailure(error); // says nothing about the frontend's life: only its lease does
            return null;
        }
    }

    private ValueTask<DeliveryAnswer> DeliverAsync(
        long channelEpoch, IReadOnlyList<NumberedMessage> messages, bool isAfterLoss = false) =>
        frontend.Observer.Deliver(new(channel, frontend.Epoch, channelEpoch, messages, isAfterLoss));

    /// <summary>Sends some of what the frontend lacks; the batch is tried again after it, and tells whether it was all.</summary>
    private async Task<bool> TryCatchUpAsync(HistoryPosition known)
    {
        try
        {
            var (epoch, messages, isLost) = await CatchUp!(known);
            return messages.Count == 0 || (await DeliverAsync(epoch, messages, isLost)).Verdict is DeliveryVerdict.Taken;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            onFailure(error);
            return false;
        }
    }

    private async Task<bool> IsAliveAsync()
    {
        try
        {
            return await isAlive(frontend.Epoch);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            onFailure(error);
            return true; // not known to be dead
        }
    }

    private void Complete(List<Waiting> batch, IReadOnlyList<bool> claimed)
    {
        var offset = 0;
        foreach (var waiting in batch)
        {
            if (_queue.TryPeek(out var head) && head == waiting) // or it was skipped or stopped meanwhile
            {
                _queue.Dequeue();
                Backlog -= waiting.Messages.Count;
            }

            waiting.Taken.TrySetResult(claimed.Skip(offset).Take(waiting.Messages.Count).ToArray());
            offset += waiting.Messages.Count;
        }
    }

    private void Leave()
    {
        Stop();
        OnGone(this);
    }

    private sealed record Waiting(
        long ChannelEpoch, IReadOnlyList<NumberedMessage> Messages, TaskCompletionSource<IReadOnlyList<bool>?> Taken);
}
