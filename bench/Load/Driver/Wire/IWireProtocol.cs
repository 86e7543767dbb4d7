namespace Marketplace.Bench.Load.Driver.Wire;

internal enum WireEventKind
{
    /// <summary>Nothing to do: the server is alive, which counts by itself.</summary>
    None,

    /// <summary>The connection may be used now.</summary>
    Ready,

    /// <summary>The server answered a call.</summary>
    Answer,

    /// <summary>The server sent a message.</summary>
    Message,

    /// <summary>The server ends the connection, or refuses it.</summary>
    Closed,
}

/// <param name="Kind">What the server said.</param>
/// <param name="CallId">The call that is answered.</param>
/// <param name="IsError">Whether that call failed.</param>
/// <param name="Reply">A frame that is to be sent at once.</param>
internal readonly record struct WireEvent(WireEventKind Kind, long CallId = 0, bool IsError = false, byte[]? Reply = null);

/// <summary>As much of a realtime protocol as a crowd of clients needs: open, keep alive, join, send, hear. Stateless.</summary>
internal interface IWireProtocol
{
    /// <summary>Path and query of the WebSocket.</summary>
    /// <param name="path">As it was configured.</param>
    string Target(string path);

    /// <summary>The frame to send once the WebSocket is open; null when the server speaks first.</summary>
    byte[]? Opening { get; }

    /// <summary>The frame that keeps a silent connection alive; null when the server asks and is answered.</summary>
    byte[]? KeepAlive { get; }

    /// <summary>Ends a record within a message; null where a message is one record.</summary>
    byte? RecordEnd { get; }

    /// <summary>How long a server may say nothing before it counts as gone.</summary>
    TimeSpan SilenceMax { get; }

    /// <summary>Joins a room; the answer has <paramref name="callId"/>.</summary>
    byte[] Join(long callId, string room);

    /// <summary>Joins the room of a place again and asks for what came after it; null where nothing is kept.</summary>
    byte[]? Resume(long callId, HistoryPlace place);

    /// <summary>Says something in the room; the answer has <paramref name="callId"/>.</summary>
    /// <param name="callId">Names the call on its connection.</param>
    /// <param name="messageId">The sender's name for the message.</param>
    /// <param name="text">Plain ASCII without a quotation mark or backslash, as is the name.</param>
    byte[] Send(long callId, string messageId, string text);

    /// <summary>What a record means.</summary>
    WireEvent Read(ReadOnlySpan<byte> record);
}
