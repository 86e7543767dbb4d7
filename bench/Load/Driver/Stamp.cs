using System.Buffers.Text;
using System.Globalization;

namespace Marketplace.Bench.Load.Driver;

/// <summary>
/// What a message carries so that whoever gets it can tell how long it took and whether one is missing. It is found in any
/// text around it, whatever the protocol: <c>load:SENDER:NUMBER:SENT:</c>.
/// </summary>
/// <param name="Sender">The number of the sending connection, or <see cref="Everyone"/>'s for a broadcast.</param>
/// <param name="Number">Counts a sender's messages, from 1.</param>
/// <param name="SentAt">
/// A timestamp of the system's monotonic clock, which all processes of one machine share; drivers on several machines would
/// need another.
/// </param>
internal readonly record struct Stamp(int Sender, long Number, long SentAt)
{
    /// <summary>The sender of broadcasts, which is no connection.</summary>
    public const int Everyone = -1;

    private static ReadOnlySpan<byte> Mark => "load:"u8;

    public string ToText() => string.Create(CultureInfo.InvariantCulture, $"load:{Sender}:{Number}:{SentAt}:");

    /// <summary>The first stamp in a message; false if there is none.</summary>
    public static bool TryFind(ReadOnlySpan<byte> message, out Stamp stamp)
    {
        stamp = default;
        var at = message.IndexOf(Mark);
        if (at < 0)
        {
            return false;
        }

        var rest = message[(at + Mark.Length)..];
        if (TryTake(ref rest, out var sender) && TryTake(ref rest, out var number) && TryTake(ref rest, out var sentAt))
        {
            stamp = new((int)sender, number, sentAt);
            return true;
        }

        return false;
    }

    private static bool TryTake(ref ReadOnlySpan<byte> text, out long number)
    {
        if (!Utf8Parser.TryParse(text, out number, out var length) || length >= text.Length || text[length] != (byte)':')
        {
            return false;
        }

        text = text[(length + 1)..];
        return true;
    }
}
