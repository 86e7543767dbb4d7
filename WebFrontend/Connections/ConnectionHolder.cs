using Marketplace.Connections;
using Marketplace.WebFrontend.Frontends;

namespace Marketplace.WebFrontend.Connections;

/// <summary>Hears what counters want back, and passes it on to whoever holds it. What is for another lease than the present is void.</summary>
internal sealed class ConnectionHolder(IGrainFactory grains, IFrontendLease lease) : IConnectionHolder
{
    private IConnectionHolder? _reference; // Orleans holds the object behind it weakly; the container holds this one

    /// <summary>All of the total that isn't in use, by the epoch and the recall's name.</summary>
    public event Action<long, long>? Recalled;

    public event Action<CloseOrder>? CloseOrdered;

    /// <summary>How counters reach this process. Throws until it is linked to the silos.</summary>
    public IConnectionHolder Reference => _reference ??= grains.CreateObjectReference<IConnectionHolder>(this);

    public Task Recall(long epoch, long round)
    {
        if (lease.Epoch == epoch)
        {
            Recalled?.Invoke(epoch, round);
        }

        return Task.CompletedTask;
    }

    public Task Close(CloseOrder order)
    {
        if (lease.Epoch == order.Epoch)
        {
            CloseOrdered?.Invoke(order);
        }

        return Task.CompletedTask;
    }
}
