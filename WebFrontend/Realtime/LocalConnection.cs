using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>A connection of this frontend.</summary>
internal sealed class LocalConnection(HubConnectionContext context)
{
    private int _underWay;

    public string Id => context.ConnectionId;

    public HubConnectionContext Context => context;

    /// <summary>The channels it listens to; under the table's lock.</summary>
    public HashSet<string> Channels { get; } = new(StringComparer.Ordinal);

    /// <summary>Channels with history that it follows, by their names; the inbox reader's. Null until it follows one.</summary>
    public Dictionary<string, HistoryFollower>? Following { get; set; }

    /// <summary>Places it is present in; under the lock of the places. Null until it is present anywhere.</summary>
    public HashSet<string>? Places { get; set; }

    /// <summary>It has disconnected and may join nothing any more; under the table's lock.</summary>
    public bool IsGone { get; set; }

    /// <summary>
    /// Writes without waiting for the socket. SignalR keeps writes in order and ends a connection whose write fails; one whose
    /// reader has fallen too far behind is ended here, or its messages would pile up without bound.
    /// </summary>
    public void Write(SerializedHubMessage message)
    {
        var write = context.WriteAsync(message);
        if (write.IsCompletedSuccessfully)
        {
            write.GetAwaiter().GetResult();
            return;
        }

        if (Interlocked.Increment(ref _underWay) > BackplaneLimits.WritesUnderWayMax)
        {
            context.Abort();
        }

        _ = FinishAsync(write);
    }

    private async Task FinishAsync(ValueTask write)
    {
        try
        {
            await write.ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            context.Abort();
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }
}
