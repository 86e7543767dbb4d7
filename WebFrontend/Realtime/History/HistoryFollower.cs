using Marketplace.Realtime.History;
using Microsoft.AspNetCore.SignalR;

namespace Marketplace.WebFrontend.Realtime.History;

/// <summary>
/// How far a connection has got in a channel's history. Belongs to the one reader of the inbox, so that what it missed and what
/// comes meanwhile can't get out of order.
/// </summary>
/// <param name="connection">The connection.</param>
/// <param name="after">It has everything up to here.</param>
/// <param name="isCatchingUp">What it missed is still being read, and goes first.</param>
internal sealed class HistoryFollower(IHistoryConnection connection, HistoryPosition after, bool isCatchingUp)
{
    private HistoryPosition _after = after;
    private Queue<(HistoryPosition Position, SerializedHubMessage Message)>? _held = isCatchingUp ? new() : null;

    /// <summary>Writes a message from the channel in its turn, unless the connection has it.</summary>
    public void Write(HistoryPosition position, SerializedHubMessage message)
    {
        if (_held is null)
        {
            WriteNow(position, message);
        }
        else if (_held.Count < BackplaneLimits.HeldMessagesMax)
        {
            _held.Enqueue((position, message));
        }
        else
        {
            connection.Abort(); // it comes back and asks again
        }
    }

    /// <summary>It has been written all that it missed: what was held goes on from there.</summary>
    public void GoOn(HistoryPosition after)
    {
        _after = after;
        while (_held!.TryDequeue(out var held))
        {
            WriteNow(held.Position, held.Message);
        }

        _held = null;
    }

    private void WriteNow(HistoryPosition position, SerializedHubMessage message)
    {
        if (position.Epoch != _after.Epoch || position.Number > _after.Number)
        {
            _after = position;
            connection.Write(message);
        }
    }
}
