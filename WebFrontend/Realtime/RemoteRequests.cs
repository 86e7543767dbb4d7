using System.Collections.Concurrent;
using Marketplace.Realtime;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Asks the frontend of a connection for something, wherever that is. Nobody keeps a directory of connections: it would cost
/// a call per connect, while asking costs one call per frontend and request, and only requests for other frontends'
/// connections pay it. The request goes to the hub's channel of all, whose frontends say at once whether the connection is
/// theirs; the answer comes back over the asking process's own channel.
/// </summary>
internal sealed class RemoteRequests(
    ChannelNames names, ChannelPublisher publisher, FrontendLink link, ChannelTable channels, TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<HubReply>> _waiting = new(StringComparer.Ordinal);
    private readonly string _replyTo = names.Process(Guid.NewGuid());

    /// <summary>
    /// Sends a request and awaits its answer; null when no frontend has the connection. Throws <see cref="TimeoutException"/>
    /// when the one that had it never answers.
    /// </summary>
    /// <param name="request">Makes the request from its id and from the channel that the answer must go to.</param>
    /// <param name="receiver">The hub, which hands replies to <see cref="Complete"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<HubReply?> AskAsync(
        Func<string, string, ChannelMessage> request, IChannelReceiver receiver, CancellationToken cancellationToken)
    {
        await channels.Pin(_replyTo, receiver, channel => link.ListenAsync(channel, CancellationToken.None))
            .WaitAsync(cancellationToken);
        var id = $"s{Guid.NewGuid():N}";
        var answer = new TaskCompletionSource<HubReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answer;
        try
        {
            var published = await publisher.PublishAsync(names.All, request(id, _replyTo), cancellationToken);
            return published is { IsClaimed: false, IsPending: false } && !answer.Task.IsCompleted
                ? null : await answer.Task.WaitAsync(BackplaneLimits.AnswerWithin, clock, cancellationToken);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    public void Complete(HubReply reply)
    {
        if (_waiting.TryRemove(reply.RequestId, out var answer))
        {
            answer.TrySetResult(reply);
        }
    }
}
