using Marketplace.Realtime;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>What became of one message.</summary>
/// <param name="IsClaimed">A frontend holds a connection that it is for.</param>
/// <param name="IsPending">Some frontend may still claim it.</param>
internal readonly record struct Published(bool IsClaimed, bool IsPending);

/// <summary>
/// Sends this process's messages to channels, in the order of the sends: first to its own listeners, then by the channel to all
/// others.
/// </summary>
internal sealed class ChannelPublisher
{
    private readonly FrontendObserver _inbox;
    private readonly OrderedLanes<Publication, Published> _lanes;
    private long _sequence;

    public ChannelPublisher(IGrainFactory grains, FrontendObserver inbox, IFrontendLease lease, TimeProvider clock)
    {
        _inbox = inbox;
        _lanes = new(
            () => lease.EnsureHeldAsync(clock),
            async (channel, items) =>
            {
                var batch = new PublishBatch(inbox.Publisher, items, lease.Epoch ?? 0);
                var result = await grains.GetGrain<IChannelGrain>(channel).Publish(batch);
                return [.. result.Claimed.Select(isClaimed => new Published(isClaimed, result.IsPending))];
            },
            error => error is not UnavailableException && ClusterTrouble.IsTransient(error), // the channel has tried already
            clock);
    }

    /// <summary>
    /// Publishes a message. Throws <see cref="UnavailableException"/> when it reached nobody of those it should have reached.
    /// </summary>
    public async Task<Published> PublishAsync(string channel, ChannelMessage message, CancellationToken cancellationToken)
    {
        var isClaimedHere = false;
        var sending = _lanes.SendAsync(channel, () =>
        {
            isClaimedHere = _inbox.TakeOwn(channel, message);
            return new(++_sequence, message, isClaimedHere);
        });
        _inbox.ReadOwn(channel);
        var published = await sending.WaitAsync(cancellationToken);
        return published with { IsClaimed = published.IsClaimed || isClaimedHere };
    }
}
