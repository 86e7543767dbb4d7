using Marketplace.Connections;

namespace Marketplace.Grains.Connections;

/// <content>Having connections closed.</content>
internal sealed partial class UserConnectionsGrain
{
    /// <summary>Less than a frontend waits for an answer (5 s), and more than it takes to close a connection whose client hangs (1 s).</summary>
    private static readonly TimeSpan MakeRoomWithin = TimeSpan.FromSeconds(1.5);

    private static readonly TimeSpan DisconnectWithin = TimeSpan.FromSeconds(3);

    /// <summary>An order may be lost, and a lease may end; both are found by looking again.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask<DisconnectAnswer> Disconnect(Guid? connection)
    {
        var startedAt = clock.GetTimestamp();
        var wanted = (await List()).Select(slot => slot.Connection).Where(name => connection is null || name == connection).ToHashSet();
        while (true)
        {
            var left = (await List()).Where(slot => wanted.Contains(slot.Connection)).ToList();
            if (left.Count == 0 || clock.GetElapsedTime(startedAt) >= DisconnectWithin)
            {
                return new(wanted.Count, left.Count);
            }

            await CloseAsync(left, CloseReason.Disconnected);
        }
    }

    /// <summary>Has as many of the oldest closed as are too many; false when they are not gone in time.</summary>
    private async Task<bool> TryMakeRoomAsync(Admission admission, long startedAt)
    {
        if (clock.GetElapsedTime(startedAt) >= MakeRoomWithin)
        {
            return false;
        }

        var slots = _stored.Slots.Prune(admission.Epochs).Slots;
        await CloseAsync([.. slots.Take(slots.Count - admission.Limit + 1)], CloseReason.Replaced);
        return true;
    }

    /// <summary>Asks the frontends to close connections, and waits until something has changed, but not for long.</summary>
    private async Task CloseAsync(IReadOnlyList<ConnectionSlot> slots, CloseReason reason)
    {
        var changed = _changed.Task; // before the order goes out, so that its answer isn't missed
        var user = this.GetPrimaryKeyString();
        foreach (var slotsOfOne in slots.GroupBy(slot => slot.Epoch))
        {
            if (await holders.FindAsync(slotsOfOne.Key) is { } holder)
            {
                holder.Close(new(slotsOfOne.Key, user, [.. slotsOfOne.Select(slot => slot.Connection)], reason)).Ignore();
            }
        }

        await changed.WaitAsync(LookEvery, clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private void SignalChanged()
    {
        _changed.SetResult();
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
