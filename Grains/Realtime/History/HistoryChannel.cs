using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.Trouble;

namespace Marketplace.Grains.Realtime.History;

// How nothing is missed and nothing comes twice.
//
//   1. A message has one number for ever: it is stored, with its number, under the fence of the channel's last number, before
//      anybody is told of it. A second activation can't store another message under that number; its append is refused, and it
//      reads what the other one stored before it tries again.
//   2. A message is stored once: by its id. A caller whose answer was lost says the same again and is told the same number.
//   3. A frontend hands on numbers without a gap: it takes number n + 1 after n, drops what it has, and answers Missing to
//      anything later, upon which it is sent what lies in between, from memory or from the table.
//   4. A frontend learns that it lacks something even if nothing more is said. What can keep it from hearing of a stored message
//      is the death of the silo whose activation stored it: then the set of silos changes, and each frontend says Listen again with
//      the number that it has (FrontendLink), upon which the activation that lives looks at the row again. A slow or unreachable
//      frontend is called until it took everything or its lease ended, and with its lease all of its connections end; an activation that
//      ends before that hands the frontend to the next one.
//   5. A client that comes back does by itself what a frontend does: it says the last number that it has, and gets the rest. Live
//      messages wait behind that rest (WebFrontend/Realtime/History). Whoever asks for something that is kept no longer is told so.
//
// Numbers are compared within an epoch. A channel of which nothing is kept has no row, and begins another epoch with the next
// message; position (0, 0) stands before all of them.
//
// All of it runs on its grain's scheduler and needs no lock. It knows nothing of Orleans, so that the model of it in the tests
// (tests/Grains.Tests/Realtime/Model) runs it as it is.
internal sealed class HistoryChannel
{
    private readonly IHistoryStore _store;
    private readonly HistorySettings _settings;
    private readonly ChannelListeners _listeners;
    private readonly HistoryTail _tail = new();
    private readonly Queue<Pending> _waiting = [];
    private readonly string _name;
    private Task _writing = Task.CompletedTask;
    private Task? _opening;
    private bool _isOpen; // once: what is found later was stored meanwhile
    private KeptChannel? _row; // null while there is none
    private HistoryPosition _sent; // up to here listeners were sent everything

    public HistoryChannel(
        string name, IHistoryStore store, HistorySettings settings, Func<long, Task<LiveFrontends>> liveSince, TimeProvider clock)
    {
        (_name, _store, _settings) = (name, store, settings);
        _listeners = new(name, liveSince, clock)
        {
            CatchUp = CatchUpAsync,
            OnFailure = (error, frontend) => OnFailure!(error, frontend),
            OnUnfinished = (frontend, change) => OnUnfinished!(frontend, change),
        };
    }

    /// <summary>Told of every call to a frontend (its lease) that failed.</summary>
    public required Action<Exception, long> OnFailure { get; init; }

    /// <summary>Told when another activation has appended something: one of the two should end.</summary>
    public required Action OnFenced { get; init; }

    /// <summary>
    /// Told, when this ends, of a frontend that hasn't taken everything, and its change. Nothing else would tell the frontend before
    /// the next message: the next activation must be told that it listens and may lack something.
    /// </summary>
    public required Action<FrontendAddress, long> OnUnfinished { get; init; }

    /// <summary>Waits a while until what was accepted is stored and handed over.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await _listeners.StopAsync(cancellationToken);
    }

    public async ValueTask<HistoryPosition> Listen(FrontendAddress listener, long change, HistoryPosition? known)
    {
        while (known is not null && _opening is { IsCompleted: false } opening)
        {
            // Two that are under way at once might end in the wrong order.
            await opening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }

        if (known is not null && _writing.IsCompleted) // a write under way finds out by the fence
        {
            // Another activation may have stored something and died before it was sent, which is why this is said again.
            _opening = null;
            _writing = WriteAsync();
        }

        await EnsureOpenAsync();
        var sender = _listeners.Listen(listener, change);
        var sent = _sent; // all that comes after this is sent to the listener
        if (known is { } has && has != sent && sent.Number > 0)
        {
            _ = sender.Send(sent.Epoch, [await MessageAtAsync(sent)]); // it will find what is missing before this one
        }

        return sent;
    }

    public void Leave(long epoch, long change) => _listeners.Leave(epoch, change);

    public async ValueTask<IReadOnlyList<HistoryPosition>> Append(IReadOnlyList<HistoryItem> items)
    {
        await _listeners.LearnAsync();
        if (_waiting.Count >= HistoryLimits.WaitingMax)
        {
            throw new UnavailableException($"Channel {_name}: {_waiting.Count} messages wait already to be stored.");
        }

        var pending = new Pending(items);
        _waiting.Enqueue(pending);
        if (_writing.IsCompleted)
        {
            _writing = WriteAsync();
        }

        return await pending.Task;
    }

    public async ValueTask<HistoryPage> Read(HistoryPosition after)
    {
        await EnsureOpenAsync();
        var end = _sent;
        if (after == end)
        {
            return new(end, [], IsLost: false);
        }

        if ((after.Epoch != end.Epoch && after != default) || after.Number > end.Number)
        {
            return new(end, [], IsLost: true);
        }

        var messages = _tail.After(after.Number) ?? await ReadStoredAsync(after.Number, end);
        return messages is [var first, ..] && first.Number == after.Number + 1
            ? new(end, messages, IsLost: false)
            : new(end, [], IsLost: true);
    }

    private async Task WriteAsync()
    {
        await EnsureOpenAsync()
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        while (_waiting.Count > 0)
        {
            var batch = NextBatch();
            try
            {
                var (epoch, numbers) = await StoreAsync(
                    [.. batch.SelectMany(pending => pending.Items).DistinctBy(item => item.Id, StringComparer.Ordinal)]);
                batch.ForEach(pending => pending.SetResult(
                    pending.Items.Select(item => new HistoryPosition(epoch, numbers[item.Id])).ToArray()));
                await TrimAsync();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                _opening = null; // whether it was stored is to be seen in the table
                batch.ForEach(pending => pending.TrySetException(error));
            }
        }
    }

    private List<Pending> NextBatch()
    {
        var batch = new List<Pending>();
        var count = 0;
        while (_waiting.TryPeek(out var next)
            && (batch.Count == 0 || count + next.Items.Count <= HistoryLimits.AppendMessagesMax))
        {
            batch.Add(_waiting.Dequeue());
            count += next.Items.Count;
        }

        return batch;
    }

    private async Task<(long Epoch, IReadOnlyDictionary<string, long> Numbers)> StoreAsync(IReadOnlyList<HistoryItem> items)
    {
        for (var attempt = 0; attempt < 3; attempt++)
        {
            await EnsureOpenAsync();
            _row ??= await _store.OpenAsync(_name);
            if (await _store.AppendAsync(new(_name, _row.Epoch, _row.LastNumber, items)) is { } numbers)
            {
                var epoch = _row.Epoch;
                if (!TryAccept(items, numbers))
                {
                    await SendLastAgainAsync();
                }

                return (epoch, numbers);
            }

            // Another activation has stored something. One of the two ends; while both live they take turns, by the fence.
            _opening = null;
            OnFenced();
        }

        throw new UnavailableException($"Channel {_name}: other activations append to it.");
    }

    /// <summary>Sends what was added; false if nothing was.</summary>
    private bool TryAccept(IReadOnlyList<HistoryItem> items, IReadOnlyDictionary<string, long> numbers)
    {
        var row = _row!;
        var added = items.Where(item => numbers[item.Id] > row.LastNumber).Select(item => Numbered(numbers[item.Id], item.Message)).ToArray();
        if (added.Length > 0)
        {
            _row = row with
            {
                LastNumber = added[^1].Number,
                Bytes = row.Bytes + added.Sum(message => ((HistoryMessage)message.Message).Arguments.Length),
            };
            Send(row.Epoch, added);
        }

        return added.Length > 0;
    }

    /// <summary>An earlier activation stored it and may have ended before it knew, and so before anybody was told.</summary>
    private async Task SendLastAgainAsync()
    {
        var sent = _sent;
        var last = await MessageAtAsync(sent);
        foreach (var listener in _listeners.All)
        {
            _ = listener.Send(sent.Epoch, [last]);
        }
    }

    private void Send(long epoch, IReadOnlyList<NumberedMessage> messages)
    {
        foreach (var message in messages)
        {
            _tail.Add(message);
        }

        _sent = new(epoch, messages[^1].Number);
        foreach (var listener in _listeners.All)
        {
            if (listener.Backlog + messages.Count > RealtimeLimits.BacklogMessagesMax)
            {
                listener.Skip();
            }

            _ = listener.Send(epoch, messages);
        }
    }

    private Task EnsureOpenAsync()
    {
        if (_opening is null or { IsFaulted: true } or { IsCanceled: true })
        {
            _opening = OpenAsync();
        }

        return _opening;
    }

    private async Task OpenAsync()
    {
        var isFirst = !_isOpen;
        _row = await _store.FindAsync(_name);
        _isOpen = true;
        if (_row is not { LastNumber: > 0 } row)
        {
            return;
        }

        if (isFirst)
        {
            _sent = new(row.Epoch, row.LastNumber);
            return;
        }

        // An append of unknown outcome, or another activation's: listeners were not told of it by this one.
        if (row.Epoch != _sent.Epoch)
        {
            _tail.Clear();
            _sent = new(row.Epoch, 0);
        }

        while (_sent.Number < row.LastNumber)
        {
            var messages = await ReadStoredAsync(_sent.Number, new(row.Epoch, row.LastNumber));
            if (messages.Count == 0)
            {
                _sent = new(row.Epoch, row.LastNumber); // too old already
                return;
            }

            Send(row.Epoch, messages);
        }
    }

    private async Task<(long Epoch, IReadOnlyList<NumberedMessage> Messages, bool IsLost)> CatchUpAsync(HistoryPosition known)
    {
        var page = await Read(known);
        return page.IsLost ? (page.End.Epoch, [await MessageAtAsync(page.End)], true) : (page.End.Epoch, page.Messages, false);
    }

    private async Task<NumberedMessage> MessageAtAsync(HistoryPosition last)
    {
        var inMemory = last.Epoch == _sent.Epoch ? _tail.After(last.Number - 1) : null;
        return (inMemory ?? await ReadStoredAsync(last.Number - 1, last)) is [var message, ..] && message.Number == last.Number
            ? message
            : throw new UnavailableException($"Channel {_name}: its last message has just become too old.");
    }

    private async Task<IReadOnlyList<NumberedMessage>> ReadStoredAsync(long after, HistoryPosition last) =>
        [.. (await _store.ReadAsync(_name, last.Epoch, after)).Where(kept => kept.Number <= last.Number).Select(kept => Numbered(kept.Number, kept.Message))];

    private async Task TrimAsync()
    {
        if (_row is { } row && (row.LastNumber - row.FirstNumber >= HistoryLimits.TrimAbove * _settings.MessagesMax
            || row.Bytes > HistoryLimits.TrimAbove * _settings.BytesMax))
        {
            var kept = await _store.TrimAsync(_name, _settings.MessagesMax, _settings.BytesMax);
            _row = kept is null ? null : kept with { Epoch = row.Epoch };
        }
    }

    private static NumberedMessage Numbered(long number, HistoryMessage message) => new(number, Guid.Empty, number, message);

    private sealed class Pending(IReadOnlyList<HistoryItem> items)
        : TaskCompletionSource<IReadOnlyList<HistoryPosition>>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public IReadOnlyList<HistoryItem> Items => items;
    }
}
