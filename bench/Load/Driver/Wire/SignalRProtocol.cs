using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>
/// SignalR's JSON protocol over a WebSocket without a negotiation, for hubs with <c>JoinRoom(room)</c> and
/// <c>SendChat(clientMessageId, text)</c>, and <c>Resume(places)</c> if it is asked for. SignalR writes a message's type first, so a look at the start tells what it is.
/// </summary>
internal sealed class SignalRProtocol : IWireProtocol
{
    private const byte RecordSeparator = 0x1E;

    public byte[]? Opening { get; } = Record("""{"protocol":"json","version":1}""");

    public byte[]? KeepAlive { get; } = Record("""{"type":6}""");

    public byte? RecordEnd => RecordSeparator;

    /// <summary>SignalR's own clients give up after as long; its servers ping every 15 s.</summary>
    public TimeSpan SilenceMax { get; } = TimeSpan.FromSeconds(30);

    public string Target(string path) => path;

    public byte[] Join(long callId, string room) => Record(string.Create(
        CultureInfo.InvariantCulture, $$"""{"type":1,"invocationId":"{{callId}}","target":"JoinRoom","arguments":["{{room}}"]}"""));

    public byte[]? Resume(long callId, HistoryPlace place) => Record(string.Create(
        CultureInfo.InvariantCulture,
        $$"""
        {"type":1,"invocationId":"{{callId}}","target":"Resume","arguments":[[{"channel":"{{place.Channel}}","epoch":"{{place.Epoch}}","number":{{place.Number}} }]]}
        """));

    public byte[] Send(long callId, string messageId, string text) => Record(string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"type":1,"invocationId":"{{callId}}","target":"SendChat","arguments":["{{messageId}}","{{text}}"]}"""));

    public WireEvent Read(ReadOnlySpan<byte> record)
    {
        if (record.SequenceEqual("{}"u8))
        {
            return new(WireEventKind.Ready);
        }

        if (!record.StartsWith("""{"type":"""u8))
        {
            return new(WireEventKind.Closed); // a handshake that was refused
        }

        return record["""{"type":""".Length] switch
        {
            (byte)'1' => new(WireEventKind.Message),
            (byte)'3' => ReadAnswer(record),
            (byte)'7' => new(WireEventKind.Closed),
            _ => default,
        };
    }

    private static WireEvent ReadAnswer(ReadOnlySpan<byte> record)
    {
        var reader = new Utf8JsonReader(record);
        var (callId, isError) = (0L, false);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var (isId, isErrorText) = (reader.ValueTextEquals("invocationId"u8), reader.ValueTextEquals("error"u8));
            reader.Read();
            isError |= isErrorText;
            if (isId)
            {
                callId = long.Parse(reader.ValueSpan, CultureInfo.InvariantCulture);
            }
            else
            {
                reader.Skip();
            }
        }

        return new(WireEventKind.Answer, callId, isError);
    }

    private static byte[] Record(string json)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(json) + 1];
        Encoding.UTF8.GetBytes(json, bytes);
        bytes[^1] = RecordSeparator;
        return WebSocketFrames.Write(Opcode.Text, bytes);
    }
}
