using System.Collections.Concurrent;
using Marketplace.Connections;
using Marketplace.Frontends;
using Marketplace.WebFrontend.Frontends;
using Microsoft.Extensions.Options;

namespace Marketplace.WebFrontend.Connections;

/// <summary>
/// Takes users' slots and sees to it that each is given back. A call that timed out may still be carried out, so a slot is
/// given back until that is acknowledged, and once more when no call of ours can be under way any longer. A lease that ends
/// settles everything: its slots are void.
/// </summary>
internal sealed partial class UserSlots(
    IGrainFactory grains,
    IFrontendLease lease,
    IOptions<FrontendLeaseSettings> settings,
    UserAttempts attempts,
    TimeProvider clock,
    ILogger<UserSlots> logger)
{
    /// <summary>Longer than a silo keeps a message, or waits for PostgreSQL, before it gives it up.</summary>
    private static readonly TimeSpan NothingUnderWayAfter = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(5);

    // Every slot that is held, taken or on its way back; bounded by the connections of this frontend and by UserAttempts.
    private readonly ConcurrentDictionary<Guid, Task?> _known = new();

    /// <summary>Takes a slot, or returns null when the cluster didn't answer: then it may be held, and is given back.</summary>
    public async Task<SlotAnswer?> TakeAsync(string user, SlotRequest request)
    {
        var (connection, epoch) = (request.Connection, request.Epoch);
        _known[connection] = null;
        var answer = await AskAsync(user, epoch, grain => grain.Take(request));
        if (answer is null)
        {
            GiveBack(user, connection, epoch, isCertain: false);
        }
        else if (answer.Outcome != SlotOutcome.Taken)
        {
            _known.TryRemove(connection, out _);
        }

        return answer;
    }

    /// <summary>Whether a slot could be taken; null when the cluster didn't answer.</summary>
    public Task<SlotAnswer?> CheckAsync(string user, SlotRequest request) =>
        AskAsync(user, request.Epoch, grain => grain.Check(request));

    /// <summary>
    /// Gives back what no connection here uses: a slot that nothing is known of, or, once more, one that is on its way back, since it
    /// may have been taken by a call that was carried out after the first attempt to return it.
    /// </summary>
    public void GiveBackUnused(string user, Guid connection, long epoch)
    {
        if (IsUsed(connection))
        {
            return;
        }

        if (_known.ContainsKey(connection))
        {
            _ = TryGiveBackAsync(user, connection);
        }
        else
        {
            GiveBack(user, connection, epoch);
        }
    }

    /// <summary>Held by a connection here, or being taken for one.</summary>
    private bool IsUsed(Guid connection) => _known.TryGetValue(connection, out var back) && back is null;

    /// <summary>Gives a slot back in the background.</summary>
    public void GiveBack(string user, Guid connection, long epoch, bool isCertain = true)
    {
        var known = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _known[connection] = GiveBackAsync(user, connection, epoch, isCertain, known.Task);
        known.SetResult(); // not before, or it might be over first, and be known for ever
    }

    /// <summary>Waits until everything that is on its way back has arrived.</summary>
    public async Task DrainAsync(TimeSpan deadline) =>
        await Task.WhenAll(_known.Values.OfType<Task>()).WaitAsync(deadline, clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Asks, and once more if at the limit there was something to give back.</summary>
    private async Task<SlotAnswer?> AskAsync(string user, long epoch, Func<IUserConnectionsGrain, ValueTask<SlotAnswer>> ask)
    {
        var answer = await TryAsync(user, ask);
        if (answer is not { Outcome: SlotOutcome.LimitReached } || FreeUnused(user, answer.HeldByCaller, epoch) is not { } freed)
        {
            return answer;
        }

        await freed.WaitAsync(settings.Value.AdmissionDeadline, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return await TryAsync(user, ask);
    }

    /// <summary>
    /// Gives back, at once, what of a user's slots here no connection uses: those that nothing is known of, and those that are on
    /// their way back, of which one may have been taken by a call that was carried out after the first attempt to return it.
    /// </summary>
    private Task? FreeUnused(string user, IReadOnlyList<Guid> held, long epoch)
    {
        var unused = held.Where(connection => !IsUsed(connection)).ToList();
        if (unused.Count == 0)
        {
            return null;
        }

        LogUnused(unused.Count, epoch);
        return Task.WhenAll(unused.Select(connection => GiveBackUntilAcknowledgedAsync(user, connection, lease.EndOf(epoch))));
    }

    private async Task GiveBackAsync(string user, Guid connection, long epoch, bool isCertain, Task known)
    {
        await known;
        var end = lease.EndOf(epoch);
        try
        {
            await GiveBackUntilAcknowledgedAsync(user, connection, end);
            if (!isCertain)
            {
                await Task.Delay(NothingUnderWayAfter, clock, end);
                await GiveBackUntilAcknowledgedAsync(user, connection, end);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The lease is over and the slot void.
        }
        finally
        {
            _known.TryRemove(connection, out _);
        }
    }

    private async Task GiveBackUntilAcknowledgedAsync(string user, Guid connection, CancellationToken end)
    {
        if (await TryGiveBackAsync(user, connection))
        {
            return;
        }

        attempts.Begin(user);
        try
        {
            var wait = FirstRetry;
            do
            {
                await Task.Delay(wait, clock, end);
                wait = wait * 2 < LongestRetry ? wait * 2 : LongestRetry;
            }
            while (!await TryGiveBackAsync(user, connection));
        }
        finally
        {
            attempts.End(user);
        }
    }

    private Task<bool> TryGiveBackAsync(string user, Guid connection) => TryAsync(user, async grain =>
    {
        await grain.GiveBack(connection);
        return true;
    });

    private async Task<T?> TryAsync<T>(string user, Func<IUserConnectionsGrain, ValueTask<T>> call)
    {
        try
        {
            return await call(grains.GetGrain<IUserConnectionsGrain>(user)).AsTask().WaitAsync(settings.Value.AdmissionDeadline, clock);
        }
        catch (Exception error)
        {
            LogNoAnswer(error.Message);
            return default;
        }
    }

    [LoggerMessage(LogLevel.Debug, "A user's connection counter gave no answer. {Reason}")]
    private partial void LogNoAnswer(string reason);

    [LoggerMessage(LogLevel.Information, "{Count} slots under lease {Epoch} are used by no connection here; giving them back")]
    private partial void LogUnused(int count, long epoch);
}
