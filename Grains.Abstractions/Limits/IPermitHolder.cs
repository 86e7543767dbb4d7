using Orleans.Concurrency;

namespace Marketplace.Limits;

/// <summary>A frontend's end of all its leases. Calls only start something; what they ask for comes by a call of its own.</summary>
[Alias("limits.holder")]
public interface IPermitHolder : IGrainObserver
{
    /// <summary>
    /// Asks for all unspent permits of a bucket, which is about to refuse somebody else. The answer is
    /// <see cref="IBucketGrain.HandBack"/> with this round, also when there is nothing to hand back.
    /// </summary>
    /// <param name="bucket">The bucket's key.</param>
    /// <param name="round">Names this recall.</param>
    /// <param name="answered">
    /// The last request of this holder that the bucket has answered: if its answer has not arrived yet, what it grants is to
    /// be handed back as well.
    /// </param>
    [Alias("recall"), OneWay]
    Task Recall(string bucket, long round, long answered);

    /// <summary>Tells a frontend that was refused that permits came back: it may ask again. Only a hint, which may be lost.</summary>
    [Alias("reopened"), OneWay]
    Task Reopened(string bucket);
}
