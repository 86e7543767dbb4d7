using System.Collections.Concurrent;
using Marketplace.Realtime;
using Marketplace.Testing;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.Extensions.Logging.Abstractions;

namespace WebFrontend.Tests.Realtime;

public sealed class ChannelPublisherTests
{
    [Fact]
    public async Task Sends_that_wait_for_the_lease_keep_their_order_and_are_not_overtaken_when_it_comes()
    {
        var (lease, channel) = (new LateLease(), new Channel());
        var inbox = new FrontendObserver(lease, new ChannelTable(lease), new LocalPlaces(), NullLogger<FrontendObserver>.Instance);
        var publisher = new ChannelPublisher(OneGrain.FactoryOf(channel), inbox, lease, TimeProvider.System);

        var waiting = Enumerable.Range(1, 5).Select(SendAsync).ToList();
        lease.Begin();
        waiting.Add(SendAsync(6)); // before anybody who waits has gone on
        lease.Tell();
        await Task.WhenAll(waiting);

        Assert.Equal(["1", "2", "3", "4", "5", "6"], channel.Published);

        Task SendAsync(int number) => publisher.PublishAsync("channel", new HubReply($"{number}", null, null), CancellationToken.None);
    }

    private sealed class Channel : IChannelGrain
    {
        public ConcurrentQueue<string> Published { get; } = [];

        public ValueTask<PublishResult> Publish(PublishBatch batch)
        {
            foreach (var item in batch.Items)
            {
                Published.Enqueue(((HubReply)item.Message).RequestId);
            }

            return new(new PublishResult(new bool[batch.Items.Count], IsPending: false));
        }

        public ValueTask Listen(FrontendAddress listener, long change) => throw new NotSupportedException();

        public ValueTask Leave(long epoch, long change) => throw new NotSupportedException();
    }

    /// <summary>A lease whose waiters learn of it later than those who look.</summary>
    private sealed class LateLease : IFrontendLease
    {
        private readonly TaskCompletionSource<long> _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long? Epoch { get; private set; }

        public void Begin() => Epoch = 1;

        public void Tell() => _told.SetResult(1);

        public CancellationToken EndOf(long epoch) => CancellationToken.None;

        public ValueTask<long> WaitForEpochAsync(CancellationToken cancellationToken) => new(_told.Task);
    }
}
