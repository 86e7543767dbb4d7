using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Marketplace.Bench.Load.Driver.Wire;

namespace Marketplace.Bench.Load.Driver;

/// <summary>
/// One client: a WebSocket of our own over a plain socket. The framework's own client costs many times the memory of one
/// that only holds a connection, and the driver shares the machine with what it measures.
/// </summary>
internal sealed class Client(int number, Crowd crowd, int receiveBuffer)
{
    private const long JoinCall = 0; // sends count from 1
    private static readonly TimeSpan ReturnPauseMax = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly Numbering _numbering = new();
    private Dictionary<long, long>? _unanswered; // when each was sent, by its number
    private Socket? _socket;
    private RecordReader? _reader;
    private TaskCompletionSource<bool>? _joining;
    private TaskCompletionSource? _pause;
    private string? _room;
    private long _heardAt;
    private long _sent;
    private volatile bool _isReady;
    private volatile bool _isEnding;

    public int Number => number;

    public bool IsLive => _isReady;

    public Task Ended { get; private set; } = Task.CompletedTask;

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

    /// <summary>Numbers that were jumped over, each with its sender's.</summary>
    public IReadOnlyList<(int Sender, long Number)> Missed => _numbering.Missed;

    /// <summary>Opens the connection once; afterwards it lives until <see cref="Ended"/>.</summary>
    public async Task<bool> OpenAsync(int attempt = 0)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        if (!await TryOpenAsync(attempt))
        {
            return false;
        }

        crowd.Tally.Opened(TimeProvider.System.GetElapsedTime(startedAt));
        Ended = LiveAsync();
        return true;
    }

    /// <summary>Joins a room, now and whenever the connection returns; false if the server said no.</summary>
    public async Task<bool> JoinAsync(string room)
    {
        _room = room;
        var joining = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _joining = joining;
        Post(crowd.Protocol.Join(JoinCall, room));
        return await joining.Task;
    }

    /// <summary>Says something in the room; the answer is counted when it comes.</summary>
    public void Say(int textLength)
    {
        long message;
        var sentAt = TimeProvider.System.GetTimestamp();
        lock (_lock)
        {
            message = ++_sent;
            (_unanswered ??= [])[message] = sentAt;
        }

        var text = new Stamp(number, message, sentAt).ToText().PadRight(textLength, 'x');
        Post(crowd.Protocol.Send(
            message, string.Create(CultureInfo.InvariantCulture, $"{crowd.Run}-{number}-{message}"), text));
        crowd.Tally.Sent();
    }

    /// <summary>Reads nothing more, as a client that hangs, until <see cref="Resume"/>; it still sends.</summary>
    public void Pause() => _pause ??= new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume() => _pause?.TrySetResult();

    /// <summary>Called every second: keeps the connection alive, and ends it when the server is silent for too long.</summary>
    public void Look(bool keepsAlive)
    {
        if (keepsAlive && _isReady && crowd.Protocol.KeepAlive is { } frame)
        {
            Post(frame);
        }

        if (_pause is null && _socket is not null
            && TimeProvider.System.GetElapsedTime(Volatile.Read(ref _heardAt)) > crowd.Protocol.SilenceMax)
        {
            _socket.Dispose();
        }
    }

    /// <summary>Ends the connection as a well-behaved client does; it has ended when the server has answered.</summary>
    public void BeginClose()
    {
        _isEnding = true;
        Resume();
        Post(WebSocketFrames.Write(Opcode.Close, [0x03, 0xE8])); // 1000, normal
    }

    /// <summary>Ends the connection whatever the server does.</summary>
    public void Abort()
    {
        _isEnding = true;
        _socket?.Dispose();
    }

    private async Task<bool> TryOpenAsync(int attempt)
    {
        try
        {
            var answer = await ShakeHandsAsync(crowd.Plan.TargetOf(number, attempt));
            if (answer.Status == (int)HttpStatusCode.SwitchingProtocols)
            {
                return true;
            }

            crowd.Tally.Refused(answer.ToString());
        }
        catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
        {
            crowd.Tally.Broke();
        }

        _socket?.Dispose();
        return false;
    }

    private async Task<UpgradeAnswer> ShakeHandsAsync(Uri target)
    {
        (_isReady, _reader) = (false, new RecordReader(crowd.Protocol.RecordEnd));
        Volatile.Write(ref _heardAt, TimeProvider.System.GetTimestamp());
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket = socket;
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }

        if (crowd.Plan.SourceOf(number) is { } source)
        {
            socket.Bind(new IPEndPoint(source, 0));
        }

        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(target.Host), target.Port));
        Post(Upgrade.Request(target, crowd.Protocol.Target(crowd.Plan.Path), crowd.TokenOf(number)));
        UpgradeAnswer? answer;
        while ((answer = Upgrade.TakeAnswer(_reader)) is null)
        {
            await ReceiveAsync();
        }

        if (answer.Value.Status == (int)HttpStatusCode.SwitchingProtocols)
        {
            if (crowd.Protocol.Opening is { } opening)
            {
                Post(opening);
            }

            for (TakeRecords(); !_isReady; TakeRecords())
            {
                await ReceiveAsync();
            }
        }

        return answer.Value;
    }

    private async Task LiveAsync()
    {
        try
        {
            while (true)
            {
                await ReceiveAsync();
                TakeRecords();
                if (_pause is { } pause)
                {
                    await pause.Task;
                    _pause = null;
                }
            }
        }
        catch (Exception error) when (error is SocketException or IOException or ObjectDisposedException)
        {
            // It has ended, which is all that there is to know: by us, by the server, or by the network.
        }

        _isReady = false;
        _socket!.Dispose();
        _joining?.TrySetResult(false);
        if (_isEnding)
        {
            crowd.Tally.Closed();
            return;
        }

        crowd.Tally.Lost();
        if (crowd.Plan.Returns)
        {
            await ReturnAsync();
        }
    }

    /// <summary>Comes back by way of the other servers, in growing intervals, with a jitter that spreads the crowd.</summary>
    private async Task ReturnAsync()
    {
        var lostAt = TimeProvider.System.GetTimestamp();
        var pause = crowd.Plan.Jitter;
        for (var attempt = 1; !_isEnding; attempt++)
        {
            await Task.Delay(pause * Random.Shared.NextDouble(), TimeProvider.System);
            if (!_isEnding && await OpenAsync(attempt))
            {
                if (_room is null || await JoinAsync(_room))
                {
                    crowd.Tally.Returned(TimeProvider.System.GetElapsedTime(lostAt));
                }

                return; // if it was lost again meanwhile, that life returns by itself
            }

            pause = pause * 2 < ReturnPauseMax ? pause * 2 : ReturnPauseMax;
        }
    }

    private async ValueTask ReceiveAsync()
    {
        var count = await _socket!.ReceiveAsync(_reader!.Free);
        if (count == 0)
        {
            throw new IOException("The server closed the connection.");
        }

        _reader.Add(count);
        Volatile.Write(ref _heardAt, TimeProvider.System.GetTimestamp());
    }

    private void TakeRecords()
    {
        while (_reader!.TryRead(out var opcode, out var record))
        {
            switch (opcode)
            {
                case Opcode.Ping:
                    Post(WebSocketFrames.Write(Opcode.Pong, record));
                    break;
                case Opcode.Close:
                    throw new IOException($"The server ended the connection: {Encoding.UTF8.GetString(record)}");
                case Opcode.Text:
                    Take(record);
                    break;
            }
        }
    }

    private void Take(ReadOnlySpan<byte> record)
    {
        var said = crowd.Protocol.Read(record);
        if (said.Reply is { } reply)
        {
            Post(reply);
        }

        switch (said.Kind)
        {
            case WireEventKind.Ready:
                _isReady = true;
                break;
            case WireEventKind.Answer when said.CallId == JoinCall:
                _joining?.TrySetResult(!said.IsError);
                break;
            case WireEventKind.Answer:
                TakeAnswer(said);
                break;
            case WireEventKind.Message when Stamp.TryFind(record, out var stamp):
                crowd.Tally.Received(
                    stamp.Sender == number,
                    _numbering.Take(stamp.Sender, stamp.Number),
                    TimeProvider.System.GetElapsedTime(stamp.SentAt));
                break;
            case WireEventKind.Closed:
                throw new IOException($"The server ended the connection: {Encoding.UTF8.GetString(record)}");
        }
    }

    private void TakeAnswer(WireEvent answer)
    {
        long sentAt;
        lock (_lock)
        {
            if (_unanswered is null || !_unanswered.TryGetValue(answer.CallId, out sentAt))
            {
                return;
            }

            if (!answer.IsError)
            {
                _unanswered.Remove(answer.CallId);
            }
        }

        crowd.Tally.Answered(answer.IsError, TimeProvider.System.GetElapsedTime(sentAt));
    }

    private void Post(byte[] frame)
    {
        try
        {
            var sending = _socket!.SendAsync(frame.AsMemory(), SocketFlags.None);
            if (!sending.IsCompletedSuccessfully)
            {
                _ = sending.AsTask().ContinueWith(static sent => _ = sent.Exception, TaskScheduler.Default);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The reading side finds out, and knows what to do.
        }
    }
}
