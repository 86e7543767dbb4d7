using System.Text;
using Marketplace.Bench.Load.Driver.Wire;

namespace Load.Tests;

public sealed class RecordReaderTests
{
    private const byte Separator = 0x1E;

    /// <summary>However the network cuts the bytes, the records are the same.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4096)]
    public void Records_are_cut_at_the_separator_over_frames_and_reads(int bytesPerRead)
    {
        byte[] stream =
        [
            .. Frame(1, true, "{}\u001e"),
            .. Frame(1, true, "one\u001etwo\u001e"),
            .. Frame(1, false, "thr"), .. Frame(0, true, "ee\u001efo"),
            .. Frame(9, true, "?"),
            .. Frame(1, true, "ur\u001e"),
        ];

        Assert.Equal(["Text:{}", "Text:one", "Text:two", "Text:three", "Ping:?", "Text:four"], Read(new(Separator), stream, bytesPerRead));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    public void Without_a_separator_a_message_is_a_record(int bytesPerRead)
    {
        byte[] stream = [.. Frame(1, true, "2"), .. Frame(1, false, "42[\"a\""), .. Frame(0, true, "]"), .. Frame(8, true, "")];

        Assert.Equal(["Text:2", "Text:42[\"a\"]", "Close:"], Read(new(null), stream, bytesPerRead));
    }

    [Theory]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    public void Frames_of_every_length_are_read(int length)
    {
        var text = new string('x', length);

        Assert.Equal([$"Text:{text}"], Read(new(null), Frame(1, true, text), 1_000));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65_536)]
    public void A_frame_that_a_client_writes_is_masked_and_whole(int length)
    {
        var frame = WebSocketFrames.Write(Opcode.Text, Encoding.ASCII.GetBytes(new string('x', length)));

        var head = length switch { < 126 => 2, <= 65_535 => 4, _ => 10 };
        Assert.Equal(0x81, frame[0]);
        Assert.Equal(0x80, frame[1] & 0x80);
        Assert.Equal(head + 4 + length, frame.Length);
    }

    [Fact]
    public void A_masked_frame_from_the_server_breaks_the_protocol() =>
        Assert.Throws<IOException>(() => WebSocketFrames.TryRead(WebSocketFrames.Write(Opcode.Text, "x"u8), out _));

    private static List<string> Read(RecordReader reader, byte[] stream, int bytesPerRead)
    {
        var records = new List<string>();
        for (var sent = 0; sent < stream.Length;)
        {
            var free = reader.Free;
            var count = Math.Min(Math.Min(bytesPerRead, free.Length), stream.Length - sent);
            stream.AsMemory(sent, count).CopyTo(free);
            reader.Add(count);
            sent += count;
            while (reader.TryRead(out var opcode, out var record))
            {
                records.Add($"{opcode}:{Encoding.ASCII.GetString(record)}");
            }
        }

        return records;
    }

    /// <summary>As a server writes it: without a mask.</summary>
    private static byte[] Frame(int opcode, bool isFinal, string text)
    {
        byte[] length = text.Length switch
        {
            < 126 => [(byte)text.Length],
            <= 65_535 => [126, (byte)(text.Length >> 8), (byte)text.Length],
            _ => [127, 0, 0, 0, 0, 0, (byte)(text.Length >> 16), (byte)(text.Length >> 8), (byte)text.Length],
        };
        return [(byte)((isFinal ? 0x80 : 0) | opcode), .. length, .. Encoding.ASCII.GetBytes(text)];
    }
}
