using Marketplace.Realtime;

namespace Marketplace.Grains.Realtime;

/// <summary>
/// The last batch of every publisher. A publisher has one batch in flight per channel, so "not after the last one" means
/// repeated: exact, in memory that grows with the publishers and not with the messages.
/// </summary>
internal sealed class Publishers(int capacity)
{
    private readonly Dictionary<Guid, Last> _last = [];
    private long _clock;

    /// <summary>
    /// The outcome of the same batch when it was published before, or null when it is new. A batch older than the last one
    /// is a copy that lost its way, whose publisher no longer waits.
    /// </summary>
    public Task<PublishResult>? Find(PublishBatch batch)
    {
        if (!_last.TryGetValue(batch.Publisher, out var last) || batch.Items[^1].Sequence > last.Sequence)
        {
            return null;
        }

        return batch.Items[^1].Sequence == last.Sequence
            ? last.Outcome
            : Task.FromResult(new PublishResult(new bool[batch.Items.Count], IsPending: false));
    }

    public void Remember(PublishBatch batch, Task<PublishResult> outcome)
    {
        _last[batch.Publisher] = new(batch.Items[^1].Sequence, outcome, ++_clock);
        if (_last.Count > capacity)
        {
            _last.Remove(_last.MinBy(entry => entry.Value.UsedAt).Key);
        }
    }

    private readonly record struct Last(long Sequence, Task<PublishResult> Outcome, long UsedAt);
}
