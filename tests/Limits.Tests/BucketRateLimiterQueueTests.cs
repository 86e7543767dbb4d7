namespace Limits.Tests;

/// <summary>Requests that wait for permits to come back.</summary>
public sealed class BucketRateLimiterQueueTests : LimiterTests
{
    [Fact]
    public async Task A_request_may_queue_for_permits_to_come_back()
    {
        Policy.QueueLimit = 1;
        var queued = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Refuse(retryIn: 5);

        var next = Link.NextAsync();
        await AdvanceUntilAsync(next);
        (await next).Answer(granted: 1, remaining: 5, lot: 2);

        Assert.True((await queued).IsAcquired);
    }

    [Fact]
    public async Task Who_queues_is_asked_for_though_the_timer_fires_a_little_early()
    {
        Policy.QueueLimit = 1;
        Clock.FiresEarlyBy = TimeSpan.FromMilliseconds(3);
        var queued = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Refuse(retryIn: 0.0505);

        var next = Link.NextAsync();
        await AdvanceUntilAsync(next, TimeSpan.FromMilliseconds(1));
        (await next).Answer(granted: 1, remaining: 5, lot: 2);

        Assert.True((await queued).IsAcquired);
    }

    [Fact]
    public async Task Who_queues_behind_others_waits_as_long_as_the_first_one_may()
    {
        Policy.QueueLimit = 5;
        var queued = Enumerable.Range(0, 5).Select(_ => Limiter.AcquireAsync().AsTask()).ToList();
        var call = await Link.NextAsync();
        for (var lot = 1; lot <= queued.Count; lot++)
        {
            call.Answer(granted: lot == 1 ? 0 : 1, remaining: 0, endsIn: 1, lot, isShort: true);
            var next = Link.NextAsync();
            await AdvanceUntilAsync(next);
            call = await next;
        }

        call.Answer(granted: 1, remaining: 0, endsIn: 1, lot: 6);

        Assert.All(await Task.WhenAll(queued).WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System), lease => Assert.True(lease.IsAcquired));
    }

    [Fact]
    public async Task Who_comes_to_a_full_queue_is_refused_and_who_waits_goes_on_waiting()
    {
        Policy.QueueLimit = 1;
        var queued = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Refuse(retryIn: 5);

        var timers = Clock.Timers;
        foreach (var newcomer in Enumerable.Range(0, 30).Select(_ => Limiter.AcquireAsync().AsTask()))
        {
            Assert.False((await newcomer.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System)).IsAcquired);
        }

        Assert.InRange(Clock.Timers - timers, 0, 2); // one wakes them all, and the first exchange's may have started late
        Assert.False(queued.IsCompleted);
        var next = Link.NextAsync();
        await AdvanceUntilAsync(next);
        (await next).Answer(granted: 1, remaining: 5, lot: 2);
        Assert.True((await queued).IsAcquired);
    }

    [Fact]
    public async Task Of_those_who_are_refused_together_the_first_ones_wait()
    {
        Policy.QueueLimit = 2;
        var all = Enumerable.Range(0, 4).Select(_ => Limiter.AcquireAsync().AsTask()).ToList();
        (await Link.NextAsync()).Refuse(retryIn: 5);

        Assert.All(await Task.WhenAll(all[2..]).WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System), lease => Assert.False(lease.IsAcquired));
        Assert.All(all[..2], task => Assert.False(task.IsCompleted));
    }

    [Fact]
    public async Task When_the_first_of_a_queue_gives_up_those_behind_it_get_what_is_in_hand()
    {
        Policy.QueueLimit = 20;
        using var giveUp = new CancellationTokenSource();
        var first = Limiter.AcquireAsync(10, giveUp.Token).AsTask();
        (await Link.NextAsync()).Answer(granted: 5, remaining: 0, endsIn: 9, isShort: true);
        var second = Limiter.AcquireAsync().AsTask();

        await giveUp.CancelAsync();

        Assert.True((await second.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System)).IsAcquired);
        Assert.True(first.IsCanceled);
        Assert.Equal(1, Link.Calls);
    }

    [Fact]
    public async Task Nobody_queues_for_permits_that_come_back_too_late()
    {
        Policy.QueueLimit = 1;
        var queued = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Refuse(retryIn: (int)Options.QueueTime.TotalSeconds + 1);

        Assert.False((await queued).IsAcquired);
    }

    [Fact]
    public async Task A_queued_request_that_is_refused_again_and_again_is_refused_in_the_end()
    {
        Policy.QueueLimit = 1;
        var queued = Limiter.AcquireAsync().AsTask();
        for (var waited = 0; waited < Options.QueueTime.TotalSeconds; waited += 4)
        {
            var next = Link.NextAsync();
            await AdvanceUntilAsync(next);
            (await next).Refuse(retryIn: 4);
        }

        Assert.False((await queued.WaitAsync(TimeSpan.FromSeconds(10))).IsAcquired);
    }

    [Fact]
    public async Task While_the_bucket_has_yet_to_hear_of_a_changed_policy_it_is_asked_at_intervals()
    {
        Policy.QueueLimit = 1;
        _ = Limiter.AcquireAsync().AsTask();
        (await Link.NextAsync()).Answer(granted: 0, remaining: 0, endsIn: 5, version: 1, isShort: true);

        var next = Link.NextAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => next.WaitAsync(TimeSpan.FromMilliseconds(200), TimeProvider.System));
        await AdvanceUntilAsync(next);
        Assert.Equal(2, Link.Calls);
    }
}
