using Marketplace.Realtime.History;
using Marketplace.Trouble;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>Lets a connection follow a channel that this frontend listens to; why it does so like this stands in HubHistory.cs.</summary>
/// <param name="channel">The channel's name.</param>
/// <param name="history">How far this frontend has got in it.</param>
/// <param name="connection">The connection.</param>
/// <param name="post">Lets the inbox's reader do something after whatever was taken over before.</param>
/// <param name="read">Reads what came in the channel after a position.</param>
/// <param name="toHubMessage">Makes what is written to connections.</param>
internal sealed class HistoryJoin(
    string channel,
    LocalHistory history,
    IHistoryConnection connection,
    Action<Action> post,
    Func<HistoryPosition, CancellationToken, Task<HistoryPage>> read,
    Func<HistoryPosition, HistoryMessage, SerializedHubMessage> toHubMessage)
{
    /// <summary>
    /// Completes when the connection has been written all that it missed. Answers where it stands, and whether that was all: if
    /// not, it must reload.
    /// </summary>
    /// <param name="after">The last message that it has; null to begin with the next one.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<(HistoryPosition At, bool IsComplete)> FollowAsync(
        HistoryPosition? after, CancellationToken cancellationToken)
    {
        var at = await BeginAsync(isCatchingUp: after is not null, cancellationToken);
        if (after is not { } from)
        {
            return (at, true);
        }

        var isComplete = await CatchUpAsync(from, at, cancellationToken);
        var end = isComplete && from.Number > at.Number ? from : at; // it was further than this frontend
        await PostAsync(post, () => connection.Following!.GetValueOrDefault(channel)?.GoOn(end), cancellationToken);
        return (end, isComplete);
    }

    /// <summary>Lets a connection follow no more.</summary>
    public static Task LeaveAsync(string channel, IHistoryConnection connection, Action<Action> post) =>
        PostAsync(post, () => connection.Following?.Remove(channel), CancellationToken.None);

    private async Task<HistoryPosition> BeginAsync(bool isCatchingUp, CancellationToken cancellationToken)
    {
        HistoryPosition at = default;
        await PostAsync(
            post,
            () =>
            {
                at = history.Written;
                connection.Following ??= new(StringComparer.Ordinal);
                connection.Following[channel] = new(connection, at, isCatchingUp);
            },
            cancellationToken);
        return at;
    }

    /// <summary>Writes what lies between two positions to the connection; false if some of it is kept no longer.</summary>
    private async Task<bool> CatchUpAsync(HistoryPosition from, HistoryPosition to, CancellationToken cancellationToken)
    {
        while (from != to)
        {
            // As fast as it reads: pages come faster than any socket takes them, and who is cut for that never gets through.
            await connection.WhenWrittenAsync().WaitAsync(cancellationToken);
            var page = await read(from, cancellationToken);
            if (page.IsLost || page.End.Epoch != to.Epoch)
            {
                return false;
            }

            var missed = page.Messages.TakeWhile(message => message.Number <= to.Number).ToArray();
            if (missed.Length == 0)
            {
                return from.Number >= to.Number
                    ? true : throw new UnavailableException($"Channel {channel}: its activation is behind; another takes over.");
            }

            await PostAsync(
                post,
                () =>
                {
                    foreach (var message in missed)
                    {
                        connection.Write(toHubMessage(new(to.Epoch, message.Number), (HistoryMessage)message.Message));
                    }
                },
                cancellationToken);
            from = new(to.Epoch, missed[^1].Number);
        }

        return true;
    }

    /// <summary>
    /// Completes when the inbox's reader has done it. The reader drops it when this frontend has lost its lease; the connection is
    /// cut then, which is what the token has to tell of.
    /// </summary>
    private static Task PostAsync(Action<Action> post, Action action, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        post(() =>
        {
            try
            {
                action();
                done.SetResult();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                done.SetException(error); // for example a message that the client's method no longer takes
            }
        });
        return done.Task.WaitAsync(cancellationToken);
    }
}
