namespace Marketplace.Grains.Limits;

/// <content>Asking holders for permits back.</content>
internal sealed partial class BucketGrain
{
    /// <summary>
    /// Several times what a live frontend takes, and short enough that the one who waits is not kept for long. A frontend that
    /// doesn't answer in time is passed over from then on, by all buckets of this silo.
    /// </summary>
    private static readonly TimeSpan RecallWithin = TimeSpan.FromMilliseconds(500);

    private (long Round, TaskCompletionSource Answered)? _recall;

    /// <summary>Asks all other holders for what they have unspent, and waits for it.</summary>
    /// <returns>Whether there was anybody to ask.</returns>
    private async Task<bool> RecallAsync(Bucket bucket, Guid except)
    {
        var (round, targets) = bucket.Recall(except, silent, Now);
        if (targets.Count == 0)
        {
            return false;
        }

        meters.Recalled(bucket.Pool.Policy, targets.Count);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _recall = (round, answered);
        foreach (var target in targets)
        {
            target.Callback.Recall(Key, round, target.Answered).Ignore();
        }

        try
        {
            await answered.Task.WaitAsync(RecallWithin, clock);
        }
        catch (TimeoutException)
        {
            bucket.GiveUp(round, silent);
        }

        _recall = null;
        return true;
    }

    private void SignalRecallAnswered(Bucket bucket)
    {
        if (_recall is { } recall && bucket.IsAnswered(recall.Round))
        {
            recall.Answered.TrySetResult();
        }
    }
}
