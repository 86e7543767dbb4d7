using Marketplace.Grains.Realtime.History;
using Marketplace.Realtime.History;

namespace Grains.Tests.Realtime.Model;

/// <summary>The tables channels and channel_messages, with the statements of sql/0008_channel_history.sql.</summary>
internal sealed class ModelHistoryStore(HistoryWorld world)
{
    private readonly HistoryWorld _world = world;
    private readonly SortedList<long, HistoryItem> _messages = [];
    private readonly Dictionary<HistoryPosition, string> _everStored = [];
    private readonly HashSet<string> _forgotten = [];
    private KeptChannel? _row;
    private long _epochs;

    /// <summary>Where the channel stands; null if nothing is kept.</summary>
    public HistoryPosition? End => _row is { LastNumber: > 0 } row ? new(row.Epoch, row.LastNumber) : null;

    /// <summary>Whether anything was ever forgotten, so that somebody may have to reload.</summary>
    public bool HasForgotten => _forgotten.Count > 0;

    /// <summary>The message that was stored under a position, kept or not.</summary>
    public string? StoredAt(HistoryPosition position) => _everStored.GetValueOrDefault(position);

    /// <summary>Whether a message was forgotten at some time, after which its id names another one.</summary>
    public bool IsForgotten(string id) => _forgotten.Contains(id);

    public IHistoryStore For(ModelNode silo) => new Connection(this, silo);

    /// <summary>What HistorySweeper does: messages become too old, a channel without any is forgotten.</summary>
    public void Sweep(int count)
    {
        if (_row is { } row && count > 0)
        {
            Forget(count);
            _row = _messages.Count > 0 ? row with { FirstNumber = _messages.Keys[0], Bytes = Bytes } : null;
            _world.Trace($"  swept: {_row}");
        }
    }

    private long Bytes => _messages.Values.Sum(item => (long)item.Message.Arguments.Length);

    private KeptChannel Open() => _row ??= new(++_epochs, 1, 0, 0);

    private IReadOnlyDictionary<string, long>? Append(HistoryAppend append)
    {
        if (_row is not { } row || row.Epoch != append.Epoch || row.LastNumber != append.LastNumber)
        {
            return null;
        }

        var numbers = new Dictionary<string, long>();
        var last = append.LastNumber;
        foreach (var item in append.Items)
        {
            if (_messages.FirstOrDefault(kept => kept.Value.Id == item.Id) is { Value: not null } known)
            {
                numbers[item.Id] = known.Key;
                continue;
            }

            numbers[item.Id] = ++last;
            if (!_everStored.TryAdd(new(row.Epoch, last), item.Id))
            {
                _world.Say($"{item.Id} was stored under ({row.Epoch}, {last}), as {_everStored[new(row.Epoch, last)]} had been");
            }

            _messages[last] = item;
        }

        _row = row with { LastNumber = last, Bytes = Bytes };
        return numbers;
    }

    private IReadOnlyList<KeptMessage> Read(long epoch, long after) =>
        _row?.Epoch != epoch ? [] : [.. _messages.Where(kept => kept.Key > after).Take(1 + _world.Random(4)).Select(kept => new KeptMessage(kept.Key, kept.Value.Message))];

    private KeptChannel? Trim(long messagesMax)
    {
        if (_row is { } row)
        {
            Forget((int)Math.Max(0, _messages.Count - messagesMax));
            _row = row with { FirstNumber = _messages.Count > 0 ? _messages.Keys[0] : row.LastNumber + 1, Bytes = Bytes };
            _world.Trace($"  trimmed: {_row}");
        }

        return _row is null ? null : _row with { Epoch = 0 };
    }

    private void Forget(int count)
    {
        for (; count > 0 && _messages.Count > 0; count--)
        {
            _forgotten.Add(_messages.Values[0].Id);
            _messages.RemoveAt(0);
        }
    }

    private sealed class Connection(ModelHistoryStore store, ModelNode silo) : IHistoryStore
    {
        private readonly HistoryWorld _world = store._world;

        public ValueTask<KeptChannel?> FindAsync(string channel) => Execute(() => store._row);

        public ValueTask<KeptChannel> OpenAsync(string channel) => Execute(store.Open);

        public ValueTask<IReadOnlyDictionary<string, long>?> AppendAsync(HistoryAppend append) => Execute(() =>
        {
            var numbers = store.Append(append);
            _world.Trace($"  append after ({append.Epoch}, {append.LastNumber}): {(numbers is null ? "fenced" : string.Join(", ", numbers))}");
            return numbers;
        });

        public ValueTask<IReadOnlyList<KeptMessage>> ReadAsync(string channel, long epoch, long after) =>
            Execute(() => store.Read(epoch, after));

        public ValueTask<KeptChannel?> TrimAsync(string channel, long messagesMax, long bytesMax) =>
            Execute(() => store.Trim(messagesMax));

        /// <summary>
        /// A statement that was sent is carried out even if its sender dies, but sooner than a silo can be declared dead; its answer
        /// may be lost.
        /// </summary>
        private ValueTask<T> Execute<T>(Func<T> statement)
        {
            var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
            var isLost = _world.Trouble(3);
            _world.At(Soon(), () =>
            {
                if (isLost)
                {
                    Answer(() => answer.SetException(new TimeoutException("The statement was not sent.")));
                    return;
                }

                var result = statement();
                if (_world.Trouble(4))
                {
                    Answer(() => answer.SetException(new TimeoutException("The statement's answer was lost.")));
                }
                else
                {
                    Answer(() => answer.SetResult(result));
                }
            });
            return new(answer.Task);
        }

        private void Answer(Action answer) => _world.At(silo, Soon(), answer);

        private TimeSpan Soon() => TimeSpan.FromMilliseconds(_world.Trouble(5) ? _world.Random(600) : 1 + _world.Random(3));
    }
}
