using System.Collections.Concurrent;
using Marketplace.Realtime;
using Marketplace.Trouble;
using Marketplace.WebFrontend.Realtime.History;
using Marketplace.WebFrontend.Realtime.Presence;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace Marketplace.WebFrontend.Realtime;

// A hub over many frontends, written and used as for one server.
//
//   send       invocation, serialised once per protocol -> the channel's grain -> one call per frontend with a listener
//              -> its queue -> its own connections of that channel
//   connect    the frontend listens to the hub's channel of all (first connection only) and to the user's
//   group      a channel like any other; joining returns when the channel knows this frontend, so nothing sent later is missed
//   others     what is for a connection of another frontend goes over the channel of all with the connection's id, see
//              RemoteRequests: one call per frontend, and nothing to keep up to date
//
// A send completes when a frontend that listens has it (all of them, unless one hangs), and fails when none could be reached.
internal sealed partial class OrleansHubLifetimeManager<THub> : HubLifetimeManager<THub>, IChannelReceiver where THub : Hub
{
    private readonly ConcurrentDictionary<string, LocalConnection> _connections = new(StringComparer.Ordinal);
    private readonly ChannelNames _names = new(typeof(THub).FullName!);
    private readonly PendingResults _results = new();
    private readonly ChannelTable _channels;
    private readonly ChannelPublisher _publisher;
    private readonly FrontendLink _link;
    private readonly FrontendObserver _inbox;
    private readonly HubPayloads<THub> _payloads;
    private readonly HistoryPayloads<THub> _history;
    private readonly LocalPlaces _places;
    private readonly SlowReaders _slowReaders;
    private readonly BackplaneMetrics _metrics;
    private readonly TimeProvider _clock;
    private readonly RemoteRequests _requests;
    private readonly ILogger<OrleansHubLifetimeManager<THub>> _logger;

    public OrleansHubLifetimeManager(
        ChannelTable channels,
        ChannelPublisher publisher,
        FrontendLink link,
        FrontendObserver inbox,
        HubPayloads<THub> payloads,
        HistoryPayloads<THub> history,
        LocalPlaces places,
        SlowReaders slowReaders,
        BackplaneMetrics metrics,
        TimeProvider clock,
        ILogger<OrleansHubLifetimeManager<THub>> logger)
    {
        (_channels, _publisher, _link, _inbox, _payloads) = (channels, publisher, link, inbox, payloads);
        (_history, _places, _slowReaders, _metrics) = (history, places, slowReaders, metrics);
        (_clock, _logger) = (clock, logger);
        _requests = new(_names, publisher, link, channels, clock);
    }

    public override async Task OnConnectedAsync(HubConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (connection.Features.Get<IHubConnectionFeature>() is { } feature)
        {
            feature.Hub = connection;
        }

        var local = new LocalConnection(connection, _slowReaders);
        _connections[local.Id] = local;
        try
        {
            var all = ListenAsync(_names.All, local);
            if (connection.UserIdentifier is { Length: > 0 } user)
            {
                await ListenAsync(_names.User(user), local);
            }

            await all;
        }
        catch
        {
            Forget(local);
            throw;
        }
    }

    public override Task OnDisconnectedAsync(HubConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (_connections.TryGetValue(connection.ConnectionId, out var local))
        {
            Forget(local);
        }

        return Task.CompletedTask;
    }

    public override Task SendAllAsync(string methodName, object?[] args, CancellationToken cancellationToken = default) =>
        SendAsync(_names.All, Message(methodName, args), cancellationToken);

    public override Task SendAllExceptAsync(
        string methodName,
        object?[] args,
        IReadOnlyList<string> excludedConnectionIds,
        CancellationToken cancellationToken = default) =>
        SendAsync(_names.All, Message(methodName, args, except: excludedConnectionIds), cancellationToken);

    public override Task SendConnectionAsync(
        string connectionId, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connectionId);
        var message = Message(methodName, args, only: [connectionId]);
        return _connections.TryGetValue(connectionId, out var local)
            ? _inbox.WriteAsync(local, HubPayloads<THub>.ToHubMessage(message.Payloads))
            : SendAsync(_names.All, message, cancellationToken);
    }

    public override Task SendConnectionsAsync(
        IReadOnlyList<string> connectionIds, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connectionIds);
        return connectionIds.Count == 0
            ? Task.CompletedTask
            : SendAsync(_names.All, Message(methodName, args, only: connectionIds), cancellationToken);
    }

    public override Task SendGroupAsync(
        string groupName, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(groupName);
        return SendAsync(_names.Group(groupName), Message(methodName, args), cancellationToken);
    }

    public override Task SendGroupExceptAsync(
        string groupName,
        string methodName,
        object?[] args,
        IReadOnlyList<string> excludedConnectionIds,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(groupName);
        return SendAsync(_names.Group(groupName), Message(methodName, args, except: excludedConnectionIds), cancellationToken);
    }

    public override Task SendGroupsAsync(
        IReadOnlyList<string> groupNames, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(groupNames);
        return SendToEachAsync(groupNames.Select(_names.Group), methodName, args, cancellationToken);
    }

    public override Task SendUserAsync(
        string userId, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(userId);
        return SendAsync(_names.User(userId), Message(methodName, args), cancellationToken);
    }

    public override Task SendUsersAsync(
        IReadOnlyList<string> userIds, string methodName, object?[] args, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(userIds);
        return SendToEachAsync(userIds.Distinct(StringComparer.Ordinal).Select(_names.User), methodName, args, cancellationToken);
    }

    private HubSend Message(
        string methodName, object?[] args, IReadOnlyList<string>? only = null, IReadOnlyList<string>? except = null) =>
        new(_payloads.Serialize(new InvocationMessage(methodName, args)), only?.ToArray(), except?.ToArray());

    private Task<Published[]> SendToEachAsync(
        IEnumerable<string> channels, string methodName, object?[] args, CancellationToken cancellationToken)
    {
        var message = Message(methodName, args);
        return Task.WhenAll(channels.Select(channel => SendAsync(channel, message, cancellationToken)).ToArray());
    }

    private Task<Published> SendAsync(string channel, ChannelMessage message, CancellationToken cancellationToken) =>
        _publisher.PublishAsync(channel, message, cancellationToken);

    public async Task ListenAsync(string channel, LocalConnection connection, bool hasHistory = false)
    {
        var startedAt = _clock.GetTimestamp();
        var isOwn = false;
        while (_channels.Add(channel, connection, this, Listen, hasHistory) is { } listening)
        {
            try
            {
                await listening;
                return;
            }
            catch (UnavailableException) when (!isOwn && _clock.GetElapsedTime(startedAt) < BackplaneLimits.Patience)
            {
                // It was begun for an earlier listener and its patience has ended; ours hasn't.
            }
        }

        Task Listen(LocalChannel local)
        {
            isOwn = true;
            return _link.ListenAsync(local, CancellationToken.None);
        }
    }

    private void Forget(LocalConnection connection)
    {
        _connections.TryRemove(connection.Id, out _);
        foreach (var channel in _channels.RemoveGone(connection))
        {
            _link.Leave(channel);
        }

        _places.LeaveAll(connection);
    }
}
