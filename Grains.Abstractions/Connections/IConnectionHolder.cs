using Orleans.Concurrency;

namespace Marketplace.Connections;

/// <summary>A frontend's end of what it holds. Calls only start something; what they ask for comes by a call of its own.</summary>
[Alias("connections.holder")]
public interface IConnectionHolder : IGrainObserver
{
    /// <summary>
    /// Asks for all of the total that isn't in use, since somebody else is about to be refused. The answer is the next
    /// <see cref="IConnectionTotalGrain.Exchange"/>, which names this round, also when there is nothing to hand back.
    /// </summary>
    /// <param name="epoch">The lease under which the frontend holds it.</param>
    /// <param name="round">Names this recall.</param>
    [Alias("recall"), OneWay]
    Task Recall(long epoch, long round);
}
