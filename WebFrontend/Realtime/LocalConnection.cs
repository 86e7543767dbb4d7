using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// A connection of this frontend. Nobody waits for its reader: while that keeps up, a message goes straight into the
/// transport's buffer; once a write can't end at once, what follows waits in a bounded queue, see <see cref="SlowReaders"/>.
/// </summary>
internal sealed class LocalConnection(HubConnectionContext context, SlowReaders slowReaders) : IHistoryConnection
{
    private readonly Lock _gate = new();
    private PendingWrites? _pending; // while a write is under way

    public string Id => context.ConnectionId;

    public HubConnectionContext Context => context;

    /// <summary>The channels it listens to; under the table's lock.</summary>
    public HashSet<string> Channels { get; } = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public Dictionary<string, HistoryFollower>? Following { get; set; }

    /// <summary>Places it is present in; under the lock of the places. Null until it is present anywhere.</summary>
    public HashSet<string>? Places { get; set; }

    /// <summary>It has disconnected and may join nothing any more; under the table's lock.</summary>
    public bool IsGone { get; set; }

    /// <summary>Writes, in the order of the calls, without waiting for the socket.</summary>
    public void Write(SerializedHubMessage message)
    {
        ValueTask write;
        PendingWrites pending;
        lock (_gate)
        {
            if (_pending is not null)
            {
                slowReaders.Queue(_pending, message, context);
                return;
            }

            write = context.WriteAsync(message); // runs nobody else's code: the transport reads on another thread
            if (write.IsCompletedSuccessfully)
            {
                write.GetAwaiter().GetResult();
                return;
            }

            _pending = pending = new();
        }

        _ = CatchUpAsync(write, pending);
    }

    /// <inheritdoc/>
    public Task WhenWrittenAsync()
    {
        lock (_gate)
        {
            return _pending?.Over ?? Task.CompletedTask;
        }
    }

    public void Abort() => context.Abort();

    private async Task CatchUpAsync(ValueTask write, PendingWrites pending)
    {
        try
        {
            do
            {
                await write.ConfigureAwait(false);
            }
            while (TryWriteNext(pending, out write));
            if (pending.CutReason is { } reason)
            {
                await SlowReaders.SayGoodbyeAsync(context, reason).ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            context.Abort(); // whatever was not written is lost, so nothing may follow it
        }
        finally
        {
            pending.End();
        }
    }

    private bool TryWriteNext(PendingWrites pending, out ValueTask write)
    {
        lock (_gate)
        {
            write = default;
            if (slowReaders.TryTake(pending, out var next))
            {
                write = context.WriteAsync(next);
                return true;
            }

            if (pending.CutReason is null)
            {
                _pending = null;
            }

            return false;
        }
    }
}
