using Marketplace.Connections;
using Marketplace.Trouble;

namespace Grains.Tests.Connections;

public sealed class UserConnectionsGrainTests(CountersCluster cluster) : IDisposable
{
    private readonly CancellationTokenSource _end = new();

    public void Dispose() => _end.Cancel();

    [Fact]
    public async Task The_sixth_connection_is_refused_and_a_repeated_one_is_not()
    {
        var epoch = await cluster.HoldLeaseAsync(_end.Token);
        var user = cluster.User();
        var connections = Enumerable.Range(0, 5).Select(_ => Guid.NewGuid()).ToList();
        foreach (var connection in connections.Concat(connections))
        {
            Assert.Equal(SlotOutcome.Taken, (await TakeAsync(user, Slot(connection, epoch))).Outcome);
        }

        var sixth = await TakeAsync(user, Slot(Guid.NewGuid(), epoch));
        Assert.Equal(SlotOutcome.LimitReached, sixth.Outcome);
        Assert.True(sixth.RetryAfter > TimeSpan.Zero);
        Assert.Equal(connections, sixth.HeldByCaller);
        Assert.Equal(SlotOutcome.LimitReached, (await user.Check(Slot(Guid.Empty, epoch))).Outcome);

        await user.GiveBack(connections[2]);
        await user.GiveBack(connections[2]);
        Assert.Equal(SlotOutcome.Taken, (await TakeAsync(user, Slot(Guid.NewGuid(), epoch))).Outcome);
        Assert.Equal(SlotOutcome.LimitReached, (await TakeAsync(user, Slot(Guid.NewGuid(), epoch))).Outcome);
    }

    [Fact]
    public async Task A_slot_that_was_given_back_before_its_turn_came_is_not_taken_and_closes_nobodys_connection()
    {
        var epoch = await cluster.HoldLeaseAsync(_end.Token);
        var user = cluster.User();
        var late = Guid.NewGuid();
        await user.GiveBack(late);

        await Assert.ThrowsAsync<UnavailableException>(async () => await user.Take(Slot(late, epoch)));

        Assert.Empty(await user.List());
        Assert.Equal(SlotOutcome.Taken, (await TakeAsync(user, Slot(Guid.NewGuid(), epoch))).Outcome);
    }

    [Fact]
    public async Task A_counter_that_restarts_keeps_its_slots()
    {
        var epoch = await cluster.HoldLeaseAsync(_end.Token);
        var user = cluster.User();
        var connection = Guid.NewGuid();
        await TakeAsync(user, Slot(connection, epoch));

        await CountersCluster.RestartAsync(user);

        Assert.Equal(connection, Assert.Single(await user.List()).Connection);
    }

    [Fact]
    public async Task Slots_are_void_once_their_lease_has_ended_and_a_lease_that_has_ended_admits_nobody()
    {
        using var dying = new CancellationTokenSource();
        var (dead, alive) = (await cluster.HoldLeaseAsync(dying.Token), await cluster.HoldLeaseAsync(_end.Token));
        var user = cluster.User();
        for (var i = 0; i < 5; i++)
        {
            await TakeAsync(user, Slot(Guid.NewGuid(), dead));
        }

        Assert.Equal(SlotOutcome.LimitReached, (await TakeAsync(user, Slot(Guid.NewGuid(), alive))).Outcome);
        await dying.CancelAsync();

        var connection = Guid.NewGuid();
        await CountersCluster.UntilAsync(
            async () => (await TakeAsync(user, Slot(connection, alive))).Outcome == SlotOutcome.Taken, CountersCluster.Term * 3);
        Assert.Equal(connection, Assert.Single(await user.List()).Connection);
        Assert.Equal(SlotOutcome.LeaseEnded, (await TakeAsync(user, Slot(Guid.NewGuid(), dead))).Outcome);
    }

    [Fact]
    public async Task Slots_of_a_released_lease_are_void_at_once()
    {
        var released = (await cluster.Leases.Register(new("test"))).Epoch;
        var alive = await cluster.HoldLeaseAsync(_end.Token);
        var user = cluster.User();
        for (var i = 0; i < 5; i++)
        {
            await TakeAsync(user, Slot(Guid.NewGuid(), released));
        }

        await cluster.Leases.Release(released);

        Assert.Equal(SlotOutcome.Taken, (await TakeAsync(user, Slot(Guid.NewGuid(), alive))).Outcome);
    }

    [Fact]
    public async Task Fifty_takes_at_once_admit_five()
    {
        var epoch = await cluster.HoldLeaseAsync(_end.Token);
        var user = cluster.User();

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => TakeAsync(user, Slot(Guid.NewGuid(), epoch))));

        Assert.Equal(5, answers.Count(answer => answer.Outcome == SlotOutcome.Taken));
    }

    [Fact]
    public async Task Of_several_roles_the_one_that_may_have_most_counts_and_one_without_a_cap_counts_as_everybody()
    {
        var epoch = await cluster.HoldLeaseAsync(_end.Token);

        Assert.Equal(5, await AdmittedAsync());
        Assert.Equal(5, await AdmittedAsync("candidate"));
        Assert.Equal(7, await AdmittedAsync("candidate", "interviewer"));
        Assert.Equal(3, await AdmittedAsync("operator"));
        Assert.Equal(5, await AdmittedAsync("operator", "candidate"));

        async Task<int> AdmittedAsync(params string[] roles)
        {
            var user = cluster.User();
            for (var admitted = 0; ; admitted++)
            {
                if ((await TakeAsync(user, Slot(Guid.NewGuid(), epoch, roles))).Outcome != SlotOutcome.Taken)
                {
                    return admitted;
                }
            }
        }
    }

    private static Task<SlotAnswer> TakeAsync(IUserConnectionsGrain user, SlotRequest request) =>
        CountersCluster.InTimeAsync(() => user.Take(request));

    private static SlotRequest Slot(Guid connection, long epoch, params string[] roles) => new(connection, epoch, roles);
}
