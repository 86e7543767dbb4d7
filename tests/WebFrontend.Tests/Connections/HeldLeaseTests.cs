using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Connections;

public sealed class HeldLeaseTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_lease_ends_by_its_own_clock_and_tells_whoever_waits_for_it()
    {
        using var lease = new HeldLease(7, In(10), _clock);
        _clock.Advance(TimeSpan.FromSeconds(9));
        Assert.True(lease.Runs && lease.Extend(In(10)));

        _clock.Advance(TimeSpan.FromSeconds(9.9));
        Assert.True(lease.Runs && !lease.EndToken.IsCancellationRequested);

        _clock.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True(lease.EndToken.IsCancellationRequested && !lease.Runs);
    }

    [Fact]
    public void A_process_that_was_paused_sees_the_end_at_its_first_look_and_a_late_answer_revives_nothing()
    {
        var pausing = new ClockWithoutTimers();
        using var lease = new HeldLease(7, TimeSpan.FromSeconds(10).Ticks, pausing);
        pausing.Timestamp = TimeSpan.FromSeconds(11).Ticks;

        Assert.False(lease.Extend(TimeSpan.FromSeconds(20).Ticks));
        Assert.False(lease.Runs);
        Assert.True(lease.EndToken.IsCancellationRequested);
    }

    private long In(double seconds) => _clock.GetTimestamp() + TimeSpan.FromSeconds(seconds).Ticks;

    /// <summary>A paused process: time goes on and its timers don't.</summary>
    private sealed class ClockWithoutTimers : TimeProvider
    {
        public long Timestamp { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Timestamp;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new NoTimer();

        private sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
