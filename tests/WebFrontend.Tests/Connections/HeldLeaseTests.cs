using Marketplace.Frontends;
using Marketplace.Testing;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
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

    [Fact]
    public async Task A_frontend_asks_for_another_lease_only_when_all_that_hung_on_the_last_one_is_cut()
    {
        var leases = new Leases();
        var frontend = LeaseOf(leases, _clock);
        await frontend.StartAsync(default);
        Assert.Equal(1, await frontend.WaitForEpochAsync(default));
        var (isBeingCut, isCut) = (new TaskCompletionSource(), new TaskCompletionSource());
        frontend.EndOf(1).Register(() =>
        {
            isBeingCut.SetResult();
            isCut.Task.GetAwaiter().GetResult(); // a connection that takes its time
        });

        leases.Renews = false;
        _clock.Advance(TimeSpan.FromSeconds(1));
        await isBeingCut.Task;
        for (var second = 0; second < 5; second++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        }

        Assert.Equal((1, null), (leases.Registered, frontend.Epoch));

        leases.Renews = true;
        isCut.SetResult();
        Assert.Equal(2, await frontend.WaitForEpochAsync(default));
        await frontend.StopAsync(default);
        frontend.Dispose();
    }

    [Fact]
    public async Task Whoever_waits_for_a_lease_gets_it_at_whatever_moment_he_comes()
    {
        var waiting = new List<Task<long>>();
        var clock = new ClockThatTells();
        using var frontend = LeaseOf(new Leases(), clock);
        clock.OnTimer = () => waiting.Add(frontend.WaitForEpochAsync(default).AsTask()); // while the lease is being made, too

        await frontend.StartAsync(default);
        Assert.Equal(1, await frontend.WaitForEpochAsync(default));

        Assert.NotEmpty(waiting);
        Assert.All(await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(20)), epoch => Assert.Equal(1, epoch));
        await frontend.StopAsync(default);
    }

    [Fact]
    public async Task A_lease_is_given_back_although_a_renewal_fails_while_the_frontend_stops()
    {
        var leases = new Leases();
        using var frontend = LeaseOf(leases, _clock);
        await frontend.StartAsync(default);
        await frontend.WaitForEpochAsync(default);
        var stopping = new TaskCompletionSource<Task>();
        leases.OnRenew = () =>
        {
            stopping.SetResult(frontend.StoppingAsync(default));
            Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System).GetAwaiter().GetResult(); // until the loop's token knows
            throw new InvalidOperationException("this silo is going down, too");
        };

        _clock.Advance(TimeSpan.FromSeconds(1));
        await (await stopping.Task);

        Assert.Equal([1], leases.Released);
    }

    private static FrontendLease LeaseOf(IFrontendLeasesGrain leases, TimeProvider clock) => new(
        OneGrain.FactoryOf(leases),
        Options.Create(new FrontendLeaseSettings()),
        Options.Create(new FrontendSettings { Name = "test" }),
        clock,
        NullLogger<FrontendLease>.Instance);

    private long In(double seconds) => _clock.GetTimestamp() + TimeSpan.FromSeconds(seconds).Ticks;

    private sealed class Leases : IFrontendLeasesGrain
    {
        public int Registered { get; private set; }

        public bool Renews { get; set; } = true;

        public Action OnRenew { get; set; } = () => { };

        public List<long> Released { get; } = [];

        public ValueTask<FrontendLeaseTerm> Register(FrontendRegistration registration) =>
            new(new FrontendLeaseTerm(++Registered, TimeSpan.FromSeconds(12)));

        public ValueTask<FrontendLeaseTerm?> Renew(long epoch)
        {
            OnRenew();
            return new(Renews ? new FrontendLeaseTerm(epoch, TimeSpan.FromSeconds(12)) : null);
        }

        public ValueTask Release(long epoch)
        {
            Released.Add(epoch);
            return ValueTask.CompletedTask;
        }

        public ValueTask<IReadOnlyList<FrontendLeaseInfo>> GetLive() => throw new NotSupportedException();

        public ValueTask<FrontendEpochs> GetEpochs() => throw new NotSupportedException();
    }

    /// <summary>Lets a test do something whenever a timer is made.</summary>
    private sealed class ClockThatTells : FakeTimeProvider
    {
        public Action OnTimer { get; set; } = () => { };

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            OnTimer();
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }

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
