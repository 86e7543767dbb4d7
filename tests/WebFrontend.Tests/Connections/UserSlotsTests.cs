using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.Testing;
using Marketplace.WebFrontend.Connections;
using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace WebFrontend.Tests.Connections;

public sealed class UserSlotsTests
{
    private const long Epoch = 7;
    private readonly Counter _counter = new();
    private readonly UserAttempts _attempts = new();
    private readonly UserSlots _slots;

    public UserSlotsTests() => _slots = new(
        OneGrain.FactoryOf(_counter),
        new Held(),
        Options.Create(new FrontendLeaseSettings { AdmissionDeadline = TimeSpan.FromSeconds(0.3) }),
        _attempts,
        TimeProvider.System,
        NullLogger<UserSlots>.Instance);

    [Fact]
    public async Task A_slot_that_was_taken_after_its_caller_had_given_up_and_given_it_back_stands_in_nobodys_way()
    {
        var late = Guid.NewGuid();
        _counter.IsSilent = true;
        Assert.Null(await _slots.TakeAsync("u", new(late, Epoch, [])));
        _counter.IsSilent = false;
        await _counter.GivenBack.Task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);

        _counter.Held.Add(late); // it is carried out only now
        Assert.Equal(SlotOutcome.Taken, (await _slots.TakeAsync("u", new(Guid.NewGuid(), Epoch, [])))?.Outcome);
        Assert.DoesNotContain(late, _counter.Held);
    }

    [Fact]
    public async Task A_slot_that_was_taken_after_it_was_given_back_goes_when_another_frontend_needs_it()
    {
        var late = Guid.NewGuid();
        _counter.IsSilent = true;
        Assert.Null(await _slots.TakeAsync("u", new(late, Epoch, [])));
        _counter.IsSilent = false;
        await _counter.GivenBack.Task.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System);
        var used = Guid.NewGuid();
        await _slots.TakeAsync("u", new(used, Epoch, []));

        _counter.Held.Add(late); // it is carried out only now
        _slots.GiveBackUnused("u", late, Epoch);
        _slots.GiveBackUnused("u", used, Epoch);

        await UntilAsync(() => !_counter.Held.Contains(late));

        Assert.Equal([used], _counter.Held);
    }

    [Fact]
    public async Task Who_only_asks_whether_there_is_room_is_not_told_of_slots_that_nobody_uses()
    {
        _counter.Held.Add(Guid.NewGuid());

        Assert.Equal(SlotOutcome.Taken, (await _slots.CheckAsync("u", new(Guid.Empty, Epoch, [])))?.Outcome);
        Assert.Empty(_counter.Held);
    }

    [Fact]
    public async Task A_slot_that_a_connection_uses_is_not_given_back_for_another_one()
    {
        var used = Guid.NewGuid();
        Assert.Equal(SlotOutcome.Taken, (await _slots.TakeAsync("u", new(used, Epoch, [])))?.Outcome);
        Assert.Equal(SlotOutcome.LimitReached, (await _slots.TakeAsync("u", new(Guid.NewGuid(), Epoch, [])))?.Outcome);
        Assert.Equal([used], _counter.Held);
    }

    [Fact]
    public async Task Nothing_new_is_begun_for_a_user_of_whom_many_slots_cannot_be_given_back()
    {
        _counter.IsAway = true;
        for (var i = 0; i < UserAttempts.Max; i++)
        {
            _slots.GiveBack("u", Guid.NewGuid(), Epoch);
        }

        await UntilAsync(() => !IsBegun("u"));
        Assert.True(IsBegun("somebody else"));
        _counter.IsAway = false;
        await UntilAsync(() => IsBegun("u"));
    }

    private bool IsBegun(string user)
    {
        var isBegun = _attempts.TryBegin(user);
        if (isBegun)
        {
            _attempts.End(user);
        }

        return isBegun;
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); !condition(); await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(10), "it takes too long");
        }
    }

    /// <summary>A user's counter with room for one.</summary>
    private sealed class Counter : IUserConnectionsGrain
    {
        public List<Guid> Held { get; } = [];

        public bool IsSilent { get; set; }

        public bool IsAway { get; set; }

        public TaskCompletionSource GivenBack { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ValueTask<SlotAnswer> Take(SlotRequest request)
        {
            if (IsSilent)
            {
                return new(new TaskCompletionSource<SlotAnswer>().Task);
            }

            if (Held.Count > 0 && !Held.Contains(request.Connection))
            {
                return new(new SlotAnswer(SlotOutcome.LimitReached, TimeSpan.FromSeconds(1), [.. Held]));
            }

            Held.Add(request.Connection);
            return new(new SlotAnswer(SlotOutcome.Taken, TimeSpan.Zero, []));
        }

        public ValueTask GiveBack(Guid connection)
        {
            if (IsAway)
            {
                throw new TimeoutException("away");
            }

            Held.Remove(connection);
            GivenBack.TrySetResult();
            return ValueTask.CompletedTask;
        }

        public ValueTask<SlotAnswer> Check(SlotRequest request) => new(Held.Count == 0
            ? new SlotAnswer(SlotOutcome.Taken, TimeSpan.Zero, []) : new(SlotOutcome.LimitReached, TimeSpan.FromSeconds(5), [.. Held]));

        public ValueTask<IReadOnlyList<ConnectionSlot>> List() => throw new NotSupportedException();

        public ValueTask<DisconnectAnswer> Disconnect(Guid? connection) => throw new NotSupportedException();
    }

    private sealed class Held : IFrontendLease
    {
        long? IFrontendLease.Epoch => Epoch;

        public CancellationToken EndOf(long epoch) => CancellationToken.None;

        public ValueTask<long> WaitForEpochAsync(CancellationToken cancellationToken) => new(Epoch);
    }
}
