namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>
/// Cuts what comes off a WebSocket into records: SignalR puts several into one message and one into several frames. Its buffer
/// is small, since a driver has one for each of many thousand connections, and grows with the longest frame.
/// </summary>
/// <param name="recordEnd">Ends a record; null where a message is one.</param>
internal sealed class RecordReader(byte? recordEnd)
{
    private const int FirstSize = 512;
    private byte[] _bytes = new byte[FirstSize];
    private int _start;
    private int _end;
    private int _payload; // what is left of the current frame, which is complete in the buffer
    private bool _isInFrame;
    private bool _isFinal;
    private List<byte>? _begun; // a record whose beginning came in an earlier frame

    /// <summary>Room for what comes next. Ends the life of the record that was read last.</summary>
    public Memory<byte> Free
    {
        get
        {
            if (_start > 0)
            {
                _bytes.AsSpan(_start.._end).CopyTo(_bytes);
                (_start, _end) = (0, _end - _start);
            }

            if (_end == _bytes.Length)
            {
                Array.Resize(ref _bytes, _bytes.Length * 2);
            }

            return _bytes.AsMemory(_end);
        }
    }

    /// <summary>What came and was not read yet.</summary>
    public ReadOnlySpan<byte> Unread => _bytes.AsSpan(_start.._end);

    public void Add(int count) => _end += count;

    /// <summary>Drops bytes that are no frames: the answer to the upgrade.</summary>
    public void Skip(int count) => _start += count;

    /// <summary>The next record, or control frame; false when more has to come first.</summary>
    /// <exception cref="IOException">What came is no frame that a server may send.</exception>
    public bool TryRead(out Opcode opcode, out ReadOnlySpan<byte> record)
    {
        while (true)
        {
            if (_isInFrame)
            {
                if (TryCut(out record))
                {
                    opcode = Opcode.Text;
                    return true;
                }
            }
            else if (WebSocketFrames.TryRead(Unread, out var frame))
            {
                _start += frame.Start;
                if (frame.Opcode is Opcode.Close or Opcode.Ping or Opcode.Pong)
                {
                    opcode = frame.Opcode;
                    record = Take(frame.Length);
                    return true;
                }

                (_payload, _isFinal, _isInFrame) = (frame.Length, frame.IsFinal, true);
            }
            else
            {
                opcode = default;
                record = default;
                return false;
            }
        }
    }

    private bool TryCut(out ReadOnlySpan<byte> record)
    {
        var payload = _bytes.AsSpan(_start, _payload);
        var length = recordEnd is { } end ? payload.IndexOf(end) : _isFinal ? payload.Length : -1;
        if (length < 0)
        {
            (_begun ??= []).AddRange(Take(_payload));
            _isInFrame = false;
            record = default;
            return false;
        }

        record = Take(length);
        if (recordEnd is null)
        {
            _isInFrame = false;
        }
        else
        {
            Take(1);
        }

        if (_begun is { Count: > 0 })
        {
            _begun.AddRange(record);
            record = _begun.ToArray();
            _begun.Clear();
        }

        return true;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        var taken = _bytes.AsSpan(_start, count);
        _start += count;
        _payload -= count;
        return taken;
    }
}
