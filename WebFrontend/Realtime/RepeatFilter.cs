using Marketplace.Realtime;

namespace Marketplace.WebFrontend.Realtime;

/// <summary>
/// Knows what came before on one channel. The channel's stamps tell its own retries; the publishers' sequences tell a message
/// that was published again after its channel died in between. Both rise, since there is one in flight at each step.
/// </summary>
internal sealed class RepeatFilter(int publishersMax)
{
    private readonly Dictionary<Guid, long> _sequences = [];
    private long _epoch;
    private long _number;

    public bool IsRepeat(long channelEpoch, NumberedMessage message) =>
        (channelEpoch == _epoch && message.Number <= _number)
        || (_sequences.TryGetValue(message.Publisher, out var last) && message.Sequence <= last);

    public void Remember(long channelEpoch, NumberedMessage message)
    {
        (_epoch, _number) = (channelEpoch, message.Number);
        if (_sequences.Count >= publishersMax)
        {
            _sequences.Clear();
        }

        _sequences[message.Publisher] = message.Sequence;
    }
}
