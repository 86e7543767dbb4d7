using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>
/// A WebSocket of our own over a plain socket. The framework's own client costs many times the memory of one that only holds a
/// connection, and the driver shares the machine with what it measures.
/// </summary>
/// <param name="protocol">What is spoken.</param>
/// <param name="source">The address to come from; null for the system's choice.</param>
/// <param name="receiveBuffer">Bytes that the system takes in for a client that doesn't read; 0 for its default.</param>
internal sealed class Link(IWireProtocol protocol, IPAddress? source, int receiveBuffer) : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly RecordReader _reader = new(protocol.RecordEnd);
    private long _heardAt = TimeProvider.System.GetTimestamp();

    /// <summary>Since the server was heard last.</summary>
    public TimeSpan Silence => TimeProvider.System.GetElapsedTime(Volatile.Read(ref _heardAt));

    /// <summary>Whether an exception is a connection's end, by us, by the server, or by the network.</summary>
    public static bool IsEnd(Exception error) => error is SocketException or IOException or ObjectDisposedException;

    /// <summary>Connects and asks for the WebSocket; if that is granted, the protocol's opening has been sent.</summary>
    public async Task<UpgradeAnswer> OpenAsync(Uri server, string path, string? token)
    {
        if (receiveBuffer > 0)
        {
            _socket.ReceiveBufferSize = receiveBuffer;
        }

        if (source is not null)
        {
            _socket.Bind(new IPEndPoint(source, 0));
        }

        await _socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(server.Host), server.Port));
        Post(Upgrade.Request(server, protocol.Target(path), token));
        UpgradeAnswer? answer;
        while ((answer = Upgrade.TakeAnswer(_reader)) is null)
        {
            await ReceiveAsync();
        }

        if (answer.Value.Status == (int)HttpStatusCode.SwitchingProtocols && protocol.Opening is { } opening)
        {
            Post(opening);
        }

        return answer.Value;
    }

    /// <summary>Waits for something to read.</summary>
    public async ValueTask ReceiveAsync()
    {
        var count = await _socket.ReceiveAsync(_reader.Free);
        if (count == 0)
        {
            throw new IOException("The server closed the connection.");
        }

        _reader.Add(count);
        Volatile.Write(ref _heardAt, TimeProvider.System.GetTimestamp());
    }

    /// <summary>The next record that came; WebSocket's own pings are answered on the way.</summary>
    public bool TryRead(out ReadOnlySpan<byte> record)
    {
        while (_reader.TryRead(out var opcode, out record))
        {
            switch (opcode)
            {
                case Opcode.Text:
                    return true;
                case Opcode.Ping:
                    Post(WebSocketFrames.Write(Opcode.Pong, record));
                    break;
                case Opcode.Close:
                    throw new IOException($"The server ended the connection: {Encoding.UTF8.GetString(record)}");
            }
        }

        return false;
    }

    /// <summary>Sends a frame, in the order of the calls, without waiting; whether it arrives the reading side finds out.</summary>
    public void Post(byte[] frame)
    {
        try
        {
            var sending = _socket.SendAsync(frame.AsMemory(), SocketFlags.None);
            if (!sending.IsCompletedSuccessfully)
            {
                _ = sending.AsTask().ContinueWith(static sent => _ = sent.Exception, TaskScheduler.Default);
            }
        }
        catch (Exception error) when (IsEnd(error))
        {
            // As said above.
        }
    }

    public void Dispose() => _socket.Dispose();
}
