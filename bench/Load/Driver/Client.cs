using System.Globalization;
using System.Net;
using Marketplace.Bench.Load.Driver.Wire;

namespace Marketplace.Bench.Load.Driver;

/// <summary>One client: opens a connection, keeps it alive, joins a room, talks, checks what it hears, and comes back.</summary>
internal sealed partial class Client(int number, Crowd crowd, int receiveBuffer)
{
    private const long JoinCall = 0; // sends count from 1
    private static readonly byte[] NormalClosure = [0x03, 0xE8]; // 1000
    private readonly Numbering _numbering = new();
    private readonly Sends _sends = new();
    private volatile Link? _link;
    private TaskCompletionSource<bool>? _joining;
    private TaskCompletionSource? _pause;
    private string? _room;
    private HistoryPlace? _place;
    private volatile bool _isReady;
    private volatile bool _isEnding;

    public int Number => number;

    public bool IsLive => _isReady;

    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Sends that no answer came to, or a refusal.</summary>
    public IReadOnlyList<long> Unanswered => _sends.Unanswered;

    /// <summary>Numbers that were jumped over, each with its sender's.</summary>
    public IReadOnlyList<(int Sender, long Number)> Missed => _numbering.Missed;

    /// <summary>Opens the connection once; afterwards it lives until <see cref="Ended"/>.</summary>
    public async Task<bool> OpenAsync()
    {
        var isOpen = await TryOpenAsync(attempt: 0);
        if (isOpen)
        {
            Ended = LiveAsync();
        }

        return isOpen;
    }

    /// <summary>Joins a room, now and whenever the connection returns; false if the server said no.</summary>
    public async Task<bool> JoinAsync(string room)
    {
        _room = room;
        return await EnterAsync(crowd.Protocol.Join(JoinCall, room));
    }

    /// <summary>Says something in the room; the answer is counted when it comes.</summary>
    public void Say(int textLength)
    {
        var sentAt = TimeProvider.System.GetTimestamp();
        var message = _sends.Begin(sentAt);
        var text = new Stamp(number, message, sentAt).ToText().PadRight(textLength, 'x');
        var messageId = string.Create(CultureInfo.InvariantCulture, $"{crowd.Run}-{number}-{message}");
        _link!.Post(crowd.Protocol.Send(message, messageId, text));
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
            _link!.Post(frame);
        }

        if (_pause is null && _link is { } link && link.Silence > crowd.Protocol.SilenceMax)
        {
            link.Dispose();
        }
    }

    /// <summary>Ends the connection as a well-behaved client does; it has ended when the server has answered.</summary>
    public void BeginClose()
    {
        _isEnding = true;
        Resume();
        _link?.Post(WebSocketFrames.Write(Opcode.Close, NormalClosure));
    }

    /// <summary>Ends the connection whatever the server does.</summary>
    public void Abort()
    {
        _isEnding = true;
        _link?.Dispose();
    }

    private async Task<bool> EnterAsync(byte[] call)
    {
        var joining = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _joining = joining;
        if (!_isReady)
        {
            return false;
        }

        _link!.Post(call);
        return await joining.Task;
    }

    private async Task<bool> TryOpenAsync(int attempt)
    {
        var startedAt = TimeProvider.System.GetTimestamp();
        var link = new Link(crowd.Protocol, crowd.Plan.SourceOf(number), receiveBuffer);
        _link = link;
        try
        {
            var answer = await link.OpenAsync(crowd.Plan.TargetOf(number, attempt), crowd.Plan.Path, crowd.TokenOf(number));
            if (answer.Status == (int)HttpStatusCode.SwitchingProtocols)
            {
                for (TakeRecords(link); !_isReady; TakeRecords(link))
                {
                    await link.ReceiveAsync();
                }

                crowd.Tally.Opened(TimeProvider.System.GetElapsedTime(startedAt));
                return true;
            }

            crowd.Tally.Refused(answer.ToString());
        }
        catch (Exception error) when (Link.IsEnd(error))
        {
            crowd.Tally.Broke();
        }

        link.Dispose();
        return false;
    }

    private async Task LiveAsync()
    {
        do
        {
            await ReadToEndAsync(_link!);
            if (_isEnding)
            {
                crowd.Tally.Closed();
                return;
            }

            crowd.Tally.Lost();
        }
        while (crowd.Plan.Returns && await ReturnAsync());
    }

    private async Task ReadToEndAsync(Link link)
    {
        try
        {
            while (true)
            {
                await link.ReceiveAsync();
                TakeRecords(link);
                if (_pause is { } pause)
                {
                    await pause.Task;
                    _pause = null;
                }
            }
        }
        catch (Exception error) when (Link.IsEnd(error))
        {
            _isReady = false;
            link.Dispose();
            _joining?.TrySetResult(false);
        }
    }

    private void TakeRecords(Link link)
    {
        while (link.TryRead(out var record))
        {
            Take(link, record);
        }
    }

    private void Take(Link link, ReadOnlySpan<byte> record)
    {
        var said = crowd.Protocol.Read(record);
        if (said.Reply is { } reply)
        {
            link.Post(reply);
        }

        if (crowd.Plan.Resumes && (said.Kind == WireEventKind.Message || said is { Kind: WireEventKind.Answer, CallId: JoinCall }))
        {
            _place = HistoryPlace.After(_place, record);
        }

        switch (said.Kind)
        {
            case WireEventKind.Ready:
                _isReady = true;
                break;
            case WireEventKind.Answer when said.CallId == JoinCall:
                if (record.IndexOf("\"isReload\":true"u8) >= 0)
                {
                    crowd.Tally.Reloaded();
                }

                _joining?.TrySetResult(!said.IsError);
                break;
            case WireEventKind.Answer when _sends.End(said.CallId, said.IsError) is { } sentAt:
                crowd.Tally.Answered(said.IsError, TimeProvider.System.GetElapsedTime(sentAt));
                break;
            case WireEventKind.Message when Stamp.TryFind(record, out var stamp):
                crowd.Tally.Received(
                    stamp.Sender == number,
                    _numbering.Take(stamp.Sender, stamp.Number),
                    TimeProvider.System.GetElapsedTime(stamp.SentAt));
                break;
            case WireEventKind.Closed:
                throw new IOException("The server said that it ends the connection.");
        }
    }
}
