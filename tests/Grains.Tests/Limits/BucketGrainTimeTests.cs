using Marketplace.Grains.Limits;
using Marketplace.Grains.Limits.Storage;
using Marketplace.Limits;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;

namespace Grains.Tests.Limits;

/// <summary>Time that passes in the midst of one exchange.</summary>
public sealed class BucketGrainTimeTests : IAsyncLifetime
{
    private static readonly LimitPolicyOptions Sliding = new()
    {
        Algorithm = LimitAlgorithm.SlidingWindow,
        Limit = 100,
        Window = TimeSpan.FromMinutes(10),
        Segments = 2,
    };

    private readonly JumpingClock _clock = new();
    private InProcessTestCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = new InProcessTestClusterBuilder(initialSilosCount: 1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton<IBucketStore, MemoryBucketStore>();
            silo.Services.AddSingleton<TimeProvider>(_clock);
            silo.Services.AddSingleton<ILimitPolicies>(new OnePolicy(_clock));
            silo.AddLimits();
            silo.Services.Remove(silo.Services.First(service => service.ImplementationType == typeof(BucketSweeper)));
        });
        _cluster = builder.Build();
        await _cluster.DeployAsync();
    }

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_segment_that_becomes_too_short_while_a_request_is_answered_refuses_nobody(int readings)
    {
        var bucket = _cluster.Client.GetGrain<IBucketGrain>("one|a");
        Assert.Equal(1, (await bucket.Exchange(Ask(1))).Granted);

        _clock.JumpAfter = readings;
        var grant = await bucket.Exchange(Ask(2));

        Assert.Equal((1, TimeSpan.Zero), (grant.Granted, grant.RetryIn));
    }

    private static PermitRequest Ask(long sequence) => new(Holder: default, sequence, Wanted: 1, 0, 0, default, null);

    /// <summary>Whoever asks for the policy is about to work with it: readings of the clock are counted from then on.</summary>
    private sealed class OnePolicy(JumpingClock clock) : ILimitPolicies
    {
        public VersionedPolicy? Find(string name)
        {
            clock.StartCounting();
            return new(0, Sliding);
        }

        public FollowedPolicy? Follow(string name) => new(new(0, Sliding));
    }

    /// <summary>Jumps by more than half a segment, once, after so many readings by the thread that started to count.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        [ThreadStatic]
        private static int _left;

        private long _ahead;

        public int JumpAfter { get; set; }

        public void StartCounting() => (_left, JumpAfter) = (JumpAfter, 0);

        public override long GetTimestamp()
        {
            var now = System.GetTimestamp() + Volatile.Read(ref _ahead);
            if (_left > 0 && --_left == 0)
            {
                Interlocked.Add(ref _ahead, (long)(Sliding.Window / Sliding.Segments * 0.6).TotalSeconds * TimestampFrequency);
            }

            return now;
        }
    }
}
