using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>
/// Socket.IO (protocol 5 over Engine.IO 4) by WebSocket alone, for a server that takes the events <c>join</c> and <c>chat</c>
/// with an acknowledgement. A packet begins with Engine.IO's type and, for a message, Socket.IO's: 40 connects, 42 is an event,
/// 43 its acknowledgement.
/// </summary>
internal sealed class SocketIoProtocol : IWireProtocol
{
    private static readonly byte[] Connect = Packet("40");
    private static readonly byte[] Pong = Packet("3");

    public byte[]? Opening => null;

    public byte[]? KeepAlive => null;

    public byte? RecordEnd => null;

    /// <summary>Engine.IO's interval between pings, 25 s, and its patience, 20 s.</summary>
    public TimeSpan SilenceMax { get; } = TimeSpan.FromSeconds(45);

    public string Target(string path) => $"{path}?EIO=4&transport=websocket";

    public byte[] Join(long callId, string room) => Packet(string.Create(CultureInfo.InvariantCulture, $"""42{callId}["join","{room}"]"""));

    public byte[]? Resume(long callId, HistoryPlace place) => null;

    public byte[] Send(long callId, string messageId, string text) => Packet(string.Create(
        CultureInfo.InvariantCulture, $"""42{callId}["chat","{messageId}","{text}"]"""));

    public WireEvent Read(ReadOnlySpan<byte> record) => record switch
    {
        [(byte)'0', ..] => new(WireEventKind.None, Reply: Connect),
        [(byte)'2', ..] => new(WireEventKind.None, Reply: Pong),
        [(byte)'4', (byte)'0', ..] => new(WireEventKind.Ready),
        [(byte)'4', (byte)'2', ..] => new(WireEventKind.Message),
        [(byte)'4', (byte)'3', ..] when Utf8Parser.TryParse(record[2..], out long callId, out _) => new(WireEventKind.Answer, callId),
        [(byte)'1', ..] or [(byte)'4', (byte)'1' or (byte)'4', ..] => new(WireEventKind.Closed),
        _ => default,
    };

    private static byte[] Packet(string text) => WebSocketFrames.Write(Opcode.Text, Encoding.UTF8.GetBytes(text));
}
