using System.Buffers.Binary;

namespace Marketplace.Bench.Load.Driver.Wire;

internal enum Opcode
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <param name="Opcode">What it is.</param>
/// <param name="IsFinal">Whether it ends its message.</param>
/// <param name="Start">Where its payload begins in the bytes it was read from.</param>
/// <param name="Length">… and how long that is.</param>
internal readonly record struct Frame(Opcode Opcode, bool IsFinal, int Start, int Length);

/// <summary>
/// WebSocket frames as a client writes and reads them (RFC 6455, section 5). The mask is all zeros: it is there for proxies
/// on the way, of which there are none, and leaves the payload as it is.
/// </summary>
internal static class WebSocketFrames
{
    private const int MaskLength = 4;
    private const int MaskBit = 0x80;
    private const int FinalBit = 0x80;
    private const int TwoByteLength = 126;
    private const int EightByteLength = 127;
    private const int PayloadMax = 16 << 20;

    /// <summary>A whole message in one frame.</summary>
    public static byte[] Write(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        var head = payload.Length < TwoByteLength ? 2 : payload.Length <= ushort.MaxValue ? 4 : 10;
        var frame = new byte[head + MaskLength + payload.Length];
        frame[0] = (byte)(FinalBit | (int)opcode);
        switch (head)
        {
            case 2:
                frame[1] = (byte)(MaskBit | payload.Length);
                break;
            case 4:
                frame[1] = MaskBit | TwoByteLength;
                BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
                break;
            default:
                frame[1] = MaskBit | EightByteLength;
                BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(2), payload.Length);
                break;
        }

        payload.CopyTo(frame.AsSpan(head + MaskLength));
        return frame;
    }

    /// <summary>The frame that the bytes begin with; false while it is not complete.</summary>
    /// <exception cref="IOException">It is none that a server may send.</exception>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Frame frame)
    {
        frame = default;
        if (bytes.Length < 2)
        {
            return false;
        }

        long length = bytes[1];
        var start = length switch { < TwoByteLength => 2, TwoByteLength => 4, EightByteLength => 10, _ => 0 };
        if (start == 0)
        {
            throw new IOException("The server sent a masked frame.");
        }

        if (bytes.Length < start)
        {
            return false;
        }

        length = start switch
        {
            4 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            10 => BinaryPrimitives.ReadInt64BigEndian(bytes[2..]),
            _ => length,
        };
        if (length is < 0 or > PayloadMax)
        {
            throw new IOException($"The server sent a frame of {length} bytes.");
        }

        frame = new((Opcode)(bytes[0] & 0x0F), (bytes[0] & FinalBit) != 0, start, (int)length);
        return bytes.Length - start >= length;
    }
}
