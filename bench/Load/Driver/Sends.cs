namespace Marketplace.Bench.Load.Driver;

/// <summary>What a client has sent and whether it was acknowledged. Numbers outlive connections.</summary>
internal sealed class Sends
{
    private readonly Lock _lock = new();
    private Dictionary<long, long>? _unanswered; // when each was sent, by its number; most clients never send
    private long _last;

    /// <summary>Sends that no answer came to, or a refusal.</summary>
    public IReadOnlyList<long> Unanswered
    {
        get
        {
            lock (_lock)
            {
                return _unanswered is null ? [] : [.. _unanswered.Keys];
            }
        }
    }

    /// <summary>The number of the next message.</summary>
    public long Begin(long sentAt)
    {
        lock (_lock)
        {
            (_unanswered ??= [])[++_last] = sentAt;
            return _last;
        }
    }

    /// <summary>Notes an answer; returns when the message was sent, or null for one that waits for none.</summary>
    public long? End(long number, bool isError)
    {
        lock (_lock)
        {
            if (_unanswered?.TryGetValue(number, out var sentAt) != true)
            {
                return null;
            }

            if (!isError)
            {
                _unanswered.Remove(number);
            }

            return sentAt;
        }
    }
}
