using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>Hears the buckets' requests for permits and passes them on to the partition.</summary>
internal sealed class PermitRecalls(Lazy<Partitions> partitions) : IPermitHolder, IPartitionResetListener
{
    public Task Recall(string bucket, long round, long answered)
    {
        if (partitions.Value.Find(BucketKey.Parse(bucket)) is { } limiter)
        {
            limiter.Recall(round, answered);
        }
        else
        {
            partitions.Value.AnswerForNobody(bucket, round, answered);
        }

        return Task.CompletedTask;
    }

    public Task Reopened(string bucket)
    {
        OnReset(bucket);
        return Task.CompletedTask;
    }

    /// <summary>A bucket that has left memory knows no more whom it had refused: resets are heard of this way, too.</summary>
    public void OnReset(string bucket) => partitions.Value.Find(BucketKey.Parse(bucket))?.Reopen();
}
