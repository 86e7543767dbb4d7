using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Frontends;
using Marketplace.WebFrontend.Hosting;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.History;

// How a client that comes back gets what it missed, in order and once, while new messages arrive.
//
// All writing to connections is done by one reader (FrontendObserver), which also does what is posted to it, in between. So:
//
//   1. the frontend listens to the channel: what comes after position P will come through the inbox
//   2. posted: the connection follows from W, the last message the reader has handed on (or P); what comes after W is held
//   3. what lies between the client's stamp and W is read from the channel and posted, page by page; it is all stored, since W is
//   4. posted: what was held goes on
//
// Steps 2 to 4 are HistoryJoin's.
//
// A follower drops whatever isn't after its last message, so that neither an overlap nor a client that was further than this
// frontend gets anything twice.
internal sealed class HubHistory<THub> : IHubHistory<THub> where THub : Hub
{
    private const int NameLengthMax = 200;

    private readonly ChannelNames _names = new(typeof(THub).FullName!);
    private readonly OrleansHubLifetimeManager<THub> _hub;
    private readonly ChannelTable _channels;
    private readonly FrontendLink _link;
    private readonly FrontendObserver _inbox;
    private readonly HistoryPayloads<THub> _payloads;
    private readonly TimeProvider _clock;
    private readonly OrderedLanes<HistoryItem, HistoryPosition> _lanes;

    public HubHistory(
        HubLifetimeManager<THub> hub,
        ChannelTable channels,
        FrontendLink link,
        FrontendObserver inbox,
        HistoryPayloads<THub> payloads,
        IGrainFactory grains,
        IFrontendLease lease,
        TimeProvider clock)
    {
        (_hub, _channels, _link, _inbox) = ((OrleansHubLifetimeManager<THub>)hub, channels, link, inbox);
        (_payloads, _clock) = (payloads, clock);
        _lanes = new(
            () => lease.EnsureHeldAsync(clock),
            async (channel, items) => await grains.GetGrain<IHistoryGrain>(channel).Append(items), ClusterTrouble.IsTransient, clock);
    }

    public async Task<HistoryStamp> PublishAsync(
        string channel, string? id, string method, object?[] arguments, CancellationToken cancellationToken)
    {
        Check(channel, NameLengthMax, nameof(channel));
        Check(id ??= Guid.NewGuid().ToString("N"), HistoryItem.IdLengthMax, nameof(id));
        var item = new HistoryItem(id, new(method, _payloads.Serialize(arguments)));
        var position = await _lanes.SendAsync(_names.History(channel), () => item).WaitAsync(cancellationToken);
        return HistoryPayloads<THub>.ToStamp(channel, position);
    }

    public async Task<HistoryJoined> FollowAsync(
        string connectionId, string channel, HistoryStamp? after, CancellationToken cancellationToken)
    {
        Check(channel, NameLengthMax, nameof(channel));
        var connection = _hub.Find(connectionId) ?? throw new UnavailableException($"Connection {connectionId} has gone.");
        var name = _names.History(channel);
        try
        {
            await _hub.ListenAsync(name, connection, hasHistory: true).WaitAsync(cancellationToken);
            var local = _channels.Find(name) ?? throw new UnavailableException($"Connection {connectionId} has gone.");
            var from = after is null ? (HistoryPosition?)null : HistoryPayloads<THub>.ToPosition(after);
            var join = new HistoryJoin(
                name,
                local.History!,
                connection,
                _inbox.Post,
                (position, token) => _link.ReadAsync(local, position, token),
                (position, message) => _payloads.ToHubMessage(HistoryPayloads<THub>.ToStamp(channel, position), message));
            var (at, isComplete) = await join.FollowAsync(from, cancellationToken);
            return new(HistoryPayloads<THub>.ToStamp(channel, at), IsReload: !isComplete);
        }
        catch
        {
            await LeaveAsync(connectionId, channel);
            throw;
        }
    }

    public async Task LeaveAsync(string connectionId, string channel)
    {
        if (_hub.Find(connectionId) is not { } connection)
        {
            return;
        }

        var name = _names.History(channel);
        if (_channels.Remove(name, connection) is { } left)
        {
            _link.Leave(left);
        }

        // Without a lease the inbox's reader drops it; nothing reaches the connection by this channel any more, done or not.
        await HistoryJoin.LeaveAsync(name, connection, _inbox.Post).WaitAsync(BackplaneLimits.LeasePatience, _clock)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static void Check(string text, int lengthMax, string name)
    {
        // PostgreSQL takes no NUL, and would refuse what others append in the same statement.
        if (text is not { Length: >= 1 } || text.Length > lengthMax || text.Contains('\0'))
        {
            throw new ArgumentException($"Must have 1 to {lengthMax} characters, and no NUL.", name);
        }
    }
}
