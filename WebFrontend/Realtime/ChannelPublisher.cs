using Marketplace.Realtime;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>What became of one message.</summary>
/// <param name="IsClaimed">A frontend holds the connection that it names.</param>
/// <param name="IsPending">Some frontend may still claim it.</param>
internal readonly record struct Published(bool IsClaimed, bool IsPending);

/// <summary>
/// Sends this process's messages to channels: for each channel one call in flight, in the order of the sends, with whatever
/// was sent during the last call in the next one. A call whose answer was lost is repeated as it was.
/// </summary>
internal sealed class ChannelPublisher(IGrainFactory grains, IFrontendLease lease, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Queue<Waiting>> _lanes = new(StringComparer.Ordinal);
    private readonly Guid _id = Guid.NewGuid();
    private long _sequence;

    /// <summary>
    /// Publishes a message. Throws <see cref="UnavailableException"/> when it reached nobody of those it should have reached.
    /// </summary>
    public async Task<Published> PublishAsync(string channel, ChannelMessage message, CancellationToken cancellationToken)
    {
        if (lease.Epoch is null)
        {
            await WaitForLeaseAsync(cancellationToken);
        }

        return await Enqueue(channel, message).WaitAsync(cancellationToken);
    }

    private async Task WaitForLeaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            await lease.WaitForEpochAsync(cancellationToken).AsTask()
                .WaitAsync(BackplaneLimits.LeasePatience, clock, cancellationToken);
        }
        catch (TimeoutException error)
        {
            throw new UnavailableException("This frontend has no lease; nothing may be sent.", error);
        }
    }

    private Task<Published> Enqueue(string channel, ChannelMessage message)
    {
        lock (_lock)
        {
            var isIdle = !_lanes.TryGetValue(channel, out var lane);
            if (isIdle)
            {
                _lanes.Add(channel, lane = new());
            }

            if (lane!.Count >= BackplaneLimits.OutboxMessagesMax)
            {
                throw new UnavailableException($"Channel {channel}: {lane.Count} messages of this frontend wait already.");
            }

            var waiting = new Waiting(
                new(++_sequence, message), new(TaskCreationOptions.RunContinuationsAsynchronously));
            lane.Enqueue(waiting);
            if (isIdle)
            {
                _ = Task.Run(() => RunAsync(channel, lane));
            }

            return waiting.Done.Task;
        }
    }

    private async Task RunAsync(string channel, Queue<Waiting> lane)
    {
        while (Next(channel, lane) is { } batch)
        {
            try
            {
                var result = await SendAsync(channel, new(_id, batch.Select(waiting => waiting.Publication).ToArray()));
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Done.TrySetResult(new(result.Claimed[i], result.IsPending));
                }
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                batch.ForEach(waiting => waiting.Done.TrySetException(error));
            }
        }
    }

    private List<Waiting>? Next(string channel, Queue<Waiting> lane)
    {
        lock (_lock)
        {
            if (lane.Count == 0)
            {
                _lanes.Remove(channel);
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

    private async Task<PublishResult> SendAsync(string channel, PublishBatch batch)
    {
        for (var startedAt = clock.GetTimestamp(); ; await Task.Delay(BackplaneLimits.RetryAfter, clock))
        {
            try
            {
                return await grains.GetGrain<IChannelGrain>(channel).Publish(batch);
            }
            catch (Exception error) when (error is not UnavailableException && ClusterTrouble.IsTransient(error))
            {
                if (clock.GetElapsedTime(startedAt) >= BackplaneLimits.Patience)
                {
                    throw new UnavailableException($"Channel {channel} could not be reached.", error);
                }
            }
        }
    }

    private sealed record Waiting(Publication Publication, TaskCompletionSource<Published> Done);
}
