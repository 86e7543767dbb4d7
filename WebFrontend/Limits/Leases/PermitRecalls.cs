using Marketplace.Limits;

namespace Marketplace.WebFrontend.Limits.Leases;

/// <summary>Hears the buckets' requests for permits and passes them on to the partition.</summary>
internal sealed class PermitRecalls(Lazy<Partitions> partitions) : IPermitHolder
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
        partitions.Value.Find(BucketKey.Parse(bucket))?.Reopen();
        return Task.CompletedTask;
    }
}
