using Marketplace.Realtime;
using Marketplace.Trouble;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;

namespace Marketplace.Grains.Realtime;

// How a channel survives without storing anything.
//
// Listeners are kept in memory. A silo's kill -9 takes them along, and frontends would have to notice and register again
// before the next message: a window in which messages are lost. Storing them (10,000 users are 10,000 rows written at every
// connect) would close it at the price of SQL on the path of each connection. Neither is needed, because the one who must
// be asked is known: a frontend can only have listened to an earlier activation if its lease still lives, and the leases
// know those. So an activation starts out ignorant and its first publish goes to every living frontend; the answer says who
// listens, and only those are called from then on. Whoever begins to listen later says so before its listener is served.
//
//   cost     one extra call per living frontend and activation, with the first message; no SQL, no sweep, no timer
//   loss     none: a frontend that is alive but whose address isn't known yet (its directory grain died as well, and it
//            announces itself every second) makes the publish wait, and fail to its caller if it stays unknown
//   drift    heals by itself: a listener too many is struck off by its own answer; a listener too few can't be, since
//            Listen is answered before its listener is served and the entry leaves only by Leave, answer or lease
//
// The frontend that publishes isn't called: it serves its own listeners before it calls the channel, which costs no message and
// no wait. So one order holds per sender and channel, and two frontends may see two senders' messages in two orders.
//
// A call to a frontend that fails says nothing about its life. It is repeated, with the same numbers, until the frontend took
// it (which drops what it has seen) or the frontend's lease ended.
[Reentrant]
internal sealed partial class ChannelGrain : Grain, IChannelGrain
{
    private readonly TimeProvider _clock;
    private readonly ILogger<ChannelGrain> _logger;
    private readonly ChannelListeners _listeners;
    private readonly Publishers _publishers = new(RealtimeLimits.PublishersMax);
    private readonly long _epoch;
    private long _number;

    public ChannelGrain(IGrainContext context, FrontendDirectory directory, TimeProvider clock, ILogger<ChannelGrain> logger)
    {
        (_clock, _logger, Name) = (clock, logger, context.GrainId.Key.ToString()!);
        _epoch = clock.GetUtcNow().Ticks; // a fresh name per activation is all that is asked of it
        _listeners = new(Name, directory.GetSinceAsync, clock)
        {
            OnFailure = (error, frontend) => LogFailure(error, Name, frontend),
        };
    }

    private string Name { get; }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _listeners.StopAsync(cancellationToken);

    public ValueTask Listen(FrontendAddress listener, long change)
    {
        _listeners.Listen(listener, change);
        return ValueTask.CompletedTask;
    }

    public ValueTask Leave(long epoch, long change)
    {
        _listeners.Leave(epoch, change);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<PublishResult> Publish(PublishBatch batch)
    {
        await _listeners.LearnAsync();

        // From here to Remember nothing is awaited: numbers, queues and the memory of the batch change as one.
        if (_publishers.Find(batch) is { } earlier)
        {
            return await earlier;
        }

        var listeners = _listeners.AllBut(batch.ServedEpoch);
        if (listeners.FirstOrDefault(l => l.Backlog + batch.Items.Count > RealtimeLimits.BacklogMessagesMax) is { } slow)
        {
            throw new UnavailableException($"Channel {Name}: frontend {slow.Epoch} is {slow.Backlog} messages behind.");
        }

        var messages = batch.Items
            .Select(item => new NumberedMessage(++_number, batch.Publisher, item.Sequence, item.Message)).ToArray();
        var taken = listeners.Select(listener => listener.Send(_epoch, messages)).ToArray();
        var outcome = OutcomeAsync(batch.Items.Count, batch.Items.All(item => item.IsServed), taken);
        _publishers.Remember(batch, outcome);
        return await outcome;
    }

    private async Task<PublishResult> OutcomeAsync(int count, bool isServed, Task<IReadOnlyList<bool>?>[] taken)
    {
        var all = Task.WhenAll(taken);
        await Quietly(((Task)all).WaitAsync(RealtimeLimits.Grace, _clock));
        var sentAt = _clock.GetTimestamp();
        while (!all.IsCompleted && !isServed && !taken.Any(IsTaken))
        {
            if (_clock.GetElapsedTime(sentAt) >= RealtimeLimits.Patience)
            {
                throw new UnavailableException($"Channel {Name}: no frontend that listens could be reached.");
            }

            await Quietly(Task.WhenAny(taken.Where(task => !task.IsCompleted)).WaitAsync(RealtimeLimits.RetryAfter, _clock));
        }

        if (taken.FirstOrDefault(task => task.IsFaulted) is { } failed && !isServed && !taken.Any(IsTaken))
        {
            await failed;
        }

        var claimed = new bool[count];
        foreach (var answer in taken.Where(IsTaken))
        {
            var claims = await answer;
            for (var i = 0; i < count; i++)
            {
                claimed[i] |= claims![i];
            }
        }

        return new(claimed, IsPending: !all.IsCompleted);
    }

#pragma warning disable RS0030 // the task has completed
    private static bool IsTaken(Task<IReadOnlyList<bool>?> task) => task.IsCompletedSuccessfully && task.Result is not null;
#pragma warning restore RS0030

    private static async Task Quietly(Task task) => await task
        .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    [LoggerMessage(LogLevel.Warning, "Channel {Channel}: frontend {Epoch} not reached; trying again while its lease lives")]
    private partial void LogFailure(Exception error, string channel, long epoch);
}
