using Marketplace.Realtime;

namespace Marketplace.Grains.Realtime.History;

/// <summary>The newest messages of a channel, in memory: those who come back after a moment cost no SQL.</summary>
internal sealed class HistoryTail
{
    private readonly LinkedList<NumberedMessage> _messages = [];
    private int _bytes;

    /// <summary>Adds the next message; the oldest leave when there are too many.</summary>
    public void Add(NumberedMessage message)
    {
        if (_messages.Last is { } last && message.Number != last.Value.Number + 1)
        {
            Clear();
        }

        _messages.AddLast(message);
        _bytes += SizeOf(message);
        while (_messages.Count > 1 && (_messages.Count > HistoryLimits.TailMessagesMax || _bytes > HistoryLimits.TailBytesMax))
        {
            _bytes -= SizeOf(_messages.First!.Value);
            _messages.RemoveFirst();
        }
    }

    /// <summary>All messages after a number, or null when some of them are no longer here.</summary>
    public IReadOnlyList<NumberedMessage>? After(long number)
    {
        if (_messages.First is not { } first || first.Value.Number > number + 1)
        {
            return null;
        }

        return [.. _messages.Where(message => message.Number > number)];
    }

    public void Clear()
    {
        _messages.Clear();
        _bytes = 0;
    }

    private static int SizeOf(NumberedMessage message) =>
        message.Message is Marketplace.Realtime.History.HistoryMessage kept ? kept.Arguments.Length : 0;
}
