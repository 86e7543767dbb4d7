using System.IO.Pipelines;
using Marketplace.Realtime;
using Marketplace.Testing;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Realtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Realtime;

/// <summary>Connections that come while channels can't be told, on a clock that the test moves.</summary>
public sealed class ListeningTests : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _clock = new();
    private readonly Channels _channels = new();
    private readonly Lease _lease = new();
    private readonly ServiceProvider _services;

    public ListeningTests()
    {
        var services = new ServiceCollection();
        services.AddLogging().AddMetrics();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().Build());
        services.AddSingleton<TimeProvider>(_clock);
        services.AddSingleton<IFrontendLease>(_lease);
        services.AddSingleton(OneGrain.FactoryOf(_channels));
        services.AddSignalR().AddOrleansBackplane();
        _services = services.BuildServiceProvider();
    }

    [Fact]
    public async Task A_call_that_is_lost_is_made_again_long_before_the_connections_patience_ends()
    {
        await AnnounceAsync();
        _channels.Answer = calls => calls == 1 ? new TaskCompletionSource().Task : Task.CompletedTask;

        var connected = Connect("c-1");
        await PassAsync(TimeSpan.FromSeconds(4));

        await ArriveAsync(connected);
        Assert.InRange(_channels.Calls, 2, 3); // the announcement makes one too if it comes just then
    }

    [Fact]
    public async Task A_call_that_ends_as_cancelled_with_a_silo_that_dies_is_made_again()
    {
        await AnnounceAsync();
        _channels.Answer = calls => calls == 1 ? Task.FromCanceled(new(canceled: true)) : Task.CompletedTask;

        var connected = Connect("c-1");
        await PassAsync(TimeSpan.FromSeconds(1));

        await ArriveAsync(connected);
    }

    [Fact]
    public async Task Who_comes_while_anothers_attempt_is_about_to_fail_has_one_of_its_own()
    {
        await AnnounceAsync();
        _channels.Answer = _ => Task.FromException(new TimeoutException());
        var first = Connect("c-1");
        await PassAsync(TimeSpan.FromSeconds(11));
        var second = Connect("c-2");
        Assert.False(first.IsCompleted);

        await PassAsync(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAsync<UnavailableException>(() => ArriveAsync(first));
        _channels.Answer = _ => Task.CompletedTask;
        await PassAsync(TimeSpan.FromSeconds(1));

        await ArriveAsync(second);
    }

    [Fact]
    public async Task Many_who_wait_for_one_channel_are_all_told_when_their_patience_ends_and_not_one_after_another()
    {
        await AnnounceAsync();
        _channels.Answer = _ => Task.FromException(new TimeoutException());
        var waiting = Enumerable.Range(1, 6).Select(number => Connect($"c-{number}")).ToArray();

        await PassAsync(TimeSpan.FromSeconds(26)); // twice the patience: an attempt that began before one's own

        await Assert.ThrowsAsync<UnavailableException>(() => ArriveAsync(Task.WhenAll(waiting)));
        Assert.All(waiting, connected => Assert.IsType<UnavailableException>(connected.Exception?.InnerException));
    }

    [Fact]
    public async Task Who_listens_under_a_lease_that_has_gone_is_told_when_the_patience_ends()
    {
        await AnnounceAsync();
        _lease.Epoch = 2; // and isn't announced

        var connected = Connect("c-1");
        await PassAsync(TimeSpan.FromSeconds(14));

        await Assert.ThrowsAsync<UnavailableException>(() => ArriveAsync(connected));
    }

    [Fact]
    public async Task When_silos_change_a_channel_that_cannot_be_told_is_told_when_it_can()
    {
        await AnnounceAsync();
        await PassAsync(TimeSpan.FromSeconds(1));
        await Connect("c-1");
        var before = _channels.Calls;
        _channels.Answer = _ => Task.FromException(new InvalidOperationException("not for want of a silo"));
        _channels.Silos = 1;
        await PassAsync(TimeSpan.FromSeconds(2));
        await ArriveAsync(() => _channels.Calls != before);
        var failed = _channels.Calls;
        Assert.InRange(failed, 1, 100); // at intervals

        _channels.Answer = _ => Task.CompletedTask;
        await PassAsync(TimeSpan.FromSeconds(1));
        await ArriveAsync(() => _channels.Calls != failed);
        int told;
        var startedAt = TimeProvider.System.GetTimestamp();
        do
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, "it is told again and again");
            told = _channels.Calls;
            await PassAsync(TimeSpan.FromSeconds(1)); // a call that failed may have been under way yet
        }
        while (_channels.Calls != told);

        await PassAsync(TimeSpan.FromSeconds(2));

        Assert.NotEqual(failed, told);
        Assert.Equal(told, _channels.Calls);
    }

    [Fact]
    public async Task Under_a_new_lease_nobody_is_served_before_the_channel_knows_it()
    {
        await AnnounceAsync();
        await PassAsync(TimeSpan.FromSeconds(1));
        await Connect("c-1");
        var told = _channels.Calls;

        _channels.Answer = _ => Task.FromException(new TimeoutException());
        await _lease.BeginAsync(2);
        var second = Connect("c-2");
        await PassAsync(TimeSpan.FromSeconds(1));
        Assert.False(second.IsCompleted);

        _channels.Answer = _ => Task.CompletedTask;
        await PassAsync(TimeSpan.FromSeconds(1));
        await ArriveAsync(second);
        Assert.NotEqual(told, _channels.Calls);
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        _lease.Dispose();
    }

    private async Task AnnounceAsync()
    {
        foreach (var service in _services.GetServices<IHostedService>())
        {
            await service.StartAsync(TestContext.Current.CancellationToken);
        }
    }

    private Task Connect(string id)
    {
        var (pipe, other) = (new Pipe(), new Pipe());
        var connection = new DefaultConnectionContext(id, new DuplexPipe(pipe.Reader, other.Writer), new DuplexPipe(other.Reader, pipe.Writer));
        return _services.GetRequiredService<HubLifetimeManager<TestHub>>().OnConnectedAsync(
            new HubConnectionContext(connection, new HubConnectionContextOptions(), NullLoggerFactory.Instance));
    }

    /// <summary>Lets time pass in small steps, each with a chance for what waits to go on.</summary>
    private async Task PassAsync(TimeSpan time)
    {
        var step = TimeSpan.FromMilliseconds(100);
        for (var passed = TimeSpan.Zero; passed < time; passed += step)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
            _clock.Advance(step);
        }

        await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
    }

    /// <summary>
    /// Waits for what the time that passed was enough for. What was held up set its timers late, so time goes on; but slowly, or
    /// patience would end before what waits has come to its turn.
    /// </summary>
    private async Task ArriveAsync(Task task)
    {
        await ArriveAsync(() => task.IsCompleted);
        await task;
    }

    private async Task ArriveAsync(Func<bool> isDone)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); !isDone();)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < Deadline, $"It has not come about within {Deadline}.");
            await Task.Delay(TimeSpan.FromMilliseconds(40), TimeProvider.System);
            _clock.Advance(TimeSpan.FromMilliseconds(10));
        }
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class Lease : IFrontendLease, IDisposable
    {
        private CancellationTokenSource _end = new();
        private long _announced = 1;

        public long? Epoch { get; set; } = 1;

        public async Task BeginAsync(long epoch)
        {
            var ended = _end;
            (_end, _announced, Epoch) = (new(), epoch, epoch);
            await ended.CancelAsync();
            ended.Dispose();
        }

        public CancellationToken EndOf(long epoch) => epoch == _announced ? _end.Token : new(canceled: true);

        public ValueTask<long> WaitForEpochAsync(CancellationToken cancellationToken) => new(_announced);

        public void Dispose() => _end.Dispose();
    }

    /// <summary>All channels, and the directory, which answers always.</summary>
    private sealed class Channels : IChannelGrain, IFrontendDirectoryGrain
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        /// <summary>What a call to listen is answered with, by its number.</summary>
        public Func<int, Task> Answer { get; set; } = _ => Task.CompletedTask;

        public ValueTask Listen(FrontendAddress listener, long change) => new(Answer(Interlocked.Increment(ref _calls)));

        public ValueTask Leave(long epoch, long change) => default;

        public ValueTask<PublishResult> Publish(PublishBatch batch) => throw new NotSupportedException();

        /// <summary>What the directory tells the silos by.</summary>
        public long Silos { get; set; }

        public ValueTask<long> Announce(FrontendAddress frontend) => new(Silos);

        public ValueTask<LiveFrontends> GetAll() => throw new NotSupportedException();
    }
}
