using System.Buffers.Text;
using System.Text;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>
/// How far a client has got in a channel whose history is kept, as the server stamps its messages:
/// <c>{"channel":"…","epoch":"…","number":1}</c>. Texts are kept as they stand in JSON, and go back the same way.
/// </summary>
internal sealed record HistoryPlace(string Channel, string Epoch, long Number)
{
    private static ReadOnlySpan<byte> ChannelMark => "{\"channel\":\""u8;

    private static ReadOnlySpan<byte> EpochMark => "\",\"epoch\":\""u8;

    private static ReadOnlySpan<byte> NumberMark => "\",\"number\":"u8;

    /// <summary>The place after a record: its first stamp if that lies further on, and else <paramref name="last"/>.</summary>
    public static HistoryPlace? After(HistoryPlace? last, ReadOnlySpan<byte> record)
    {
        var start = record.IndexOf(ChannelMark);
        if (start < 0)
        {
            return last;
        }

        var rest = record[(start + ChannelMark.Length)..];
        var epochAt = rest.IndexOf(EpochMark);
        var numberAt = rest.IndexOf(NumberMark);
        if (epochAt < 0 || numberAt < epochAt || !Utf8Parser.TryParse(rest[(numberAt + NumberMark.Length)..], out long number, out _))
        {
            return last;
        }

        var channel = Encoding.UTF8.GetString(rest[..epochAt]);
        var epoch = Encoding.UTF8.GetString(rest[(epochAt + EpochMark.Length)..numberAt]);
        return last is not null && last.Channel == channel && last.Epoch == epoch && last.Number >= number
            ? last
            : new(channel, epoch, number);
    }
}
