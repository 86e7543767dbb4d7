using Marketplace.Realtime;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>What became of one message.</summary>
/// <param name="IsClaimed">A frontend holds the connection that it names.</param>
/// <param name="IsPending">Some frontend may still claim it.</param>
internal readonly record struct Published(bool IsClaimed, bool IsPending);

/// <summary>Sends this process's messages to channels, in the order of the sends.</summary>
internal sealed class ChannelPublisher
{
    private readonly IFrontendLease _lease;
    private readonly TimeProvider _clock;
    private readonly OrderedLanes<Publication, Published> _lanes;
    private readonly Guid _id = Guid.NewGuid();
    private long _sequence;

    public ChannelPublisher(IGrainFactory grains, IFrontendLease lease, TimeProvider clock)
    {
        (_lease, _clock) = (lease, clock);
        _lanes = new(
            async (channel, items) =>
            {
                var result = await grains.GetGrain<IChannelGrain>(channel).Publish(new(_id, items));
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
        await _lease.EnsureHeldAsync(_clock, cancellationToken);
        return await _lanes.SendAsync(channel, () => new(++_sequence, message)).WaitAsync(cancellationToken);
    }
}
