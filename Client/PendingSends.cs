using Microsoft.AspNetCore.SignalR;

namespace Marketplace.Client;

/// <summary>
/// What was said in a room and isn't acknowledged yet. It goes out in order, one at a time, so that a connection that breaks can't
/// let a later message overtake; it is repeated under the same name, by which the server knows it, until it is acknowledged.
/// </summary>
internal sealed class PendingSends(LiveConnectionOptions options, ReconnectPolicy policy)
{
    /// <summary>
    /// The longest that is sent. A server closes a connection that brings it more than 32 KB at once, which would look like one that
    /// broke, and the message be repeated for ever; each character is six bytes at most on the wire.
    /// </summary>
    private const int TextLengthMax = 4_000;
    private const int IdLengthMax = 64;

    private readonly Lock _lock = new();
    private readonly LinkedList<Pending> _sends = new();
    private readonly Signal _added = new();
    private Exception? _end;

    /// <summary>Queues a message; completes with its stamp when it is stored.</summary>
    public async Task<LiveStamp> AddAsync(string id, string text, CancellationToken cancellationToken)
    {
        ThrowIfTooLong(text, TextLengthMax, nameof(text));
        ThrowIfTooLong(id, IdLengthMax, "clientMessageId");
        var pending = new Pending(id, text);
        lock (_lock)
        {
            if (_end is { } end)
            {
                throw end;
            }

            if (_sends.Count >= options.PendingSendsMax)
            {
                throw new InvalidOperationException(
                    $"{options.PendingSendsMax} messages wait to be acknowledged ({nameof(LiveConnectionOptions.PendingSendsMax)}).");
            }

            _sends.AddLast(pending);
        }

        _added.Set();
        try
        {
            return await pending.Stored.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Remove(pending);
        }
    }

    /// <summary>Sends what waits, and what is added, over a link, until it ends.</summary>
    public async Task SendAllAsync(LiveLink link, CancellationToken cancellationToken)
    {
        for (var failures = 0; ;)
        {
            if (First() is not { } pending)
            {
                await _added.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            try
            {
                var stamp = await link.SendChatAsync(pending.Id, pending.Text, cancellationToken).ConfigureAwait(false);
                Remove(pending);
                pending.Stored.TrySetResult(stamp);
                failures = 0;
            }
            catch (HubException error) when (options.IsTransient(error))
            {
                await Task.Delay(policy.DelayAfter(++failures), options.Clock, cancellationToken).ConfigureAwait(false);
            }
            catch (HubException error)
            {
                Remove(pending);
                pending.Stored.TrySetException(error);
            }
        }
    }

    /// <summary>Nothing will be sent any more: those who wait are told why.</summary>
    public void End(Exception error)
    {
        List<Pending> left;
        lock (_lock)
        {
            _end ??= error;
            left = [.. _sends];
            _sends.Clear();
        }

        left.ForEach(pending => pending.Stored.TrySetException(error));
    }

    private static void ThrowIfTooLong(string value, int lengthMax, string name)
    {
        if (value.Length > lengthMax)
        {
            throw new ArgumentException($"It has {value.Length} characters, and may have {lengthMax}.", name);
        }
    }

    private Pending? First()
    {
        lock (_lock)
        {
            return _sends.First?.Value;
        }
    }

    private void Remove(Pending pending)
    {
        lock (_lock)
        {
            _sends.Remove(pending);
        }
    }

    private sealed class Pending(string id, string text)
    {
        public string Id => id;

        public string Text => text;

        public TaskCompletionSource<LiveStamp> Stored { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
