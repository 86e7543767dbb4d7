using System.Buffers;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace WebFrontend.Tests.Realtime;

/// <summary>A client of the hub on a bare socket with little room, which reads only when it is told to.</summary>
internal sealed class StoppingReader : IAsyncDisposable
{
    private static readonly JsonHubProtocol Protocol = new();
    private readonly Socket _socket;
    private readonly WebSocket _webSocket;
    private readonly ArrayBufferWriter<byte> _unread = new();
    private int _parsed;

    private StoppingReader(Socket socket, WebSocket webSocket) => (_socket, _webSocket) = (socket, webSocket);

    public static async Task<StoppingReader> ConnectAsync(Uri server, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4_096, NoDelay = true };
        await socket.ConnectAsync(server.Host, server.Port, cancellationToken);
        var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /hub HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"), cancellationToken);
        var head = "";
        var one = new byte[1];
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, cancellationToken);
            head += (char)one[0];
        }

        Assert.StartsWith("HTTP/1.1 101", head, StringComparison.Ordinal);
        var reader = new StoppingReader(socket, WebSocket.CreateFromStream(stream, new WebSocketCreationOptions()));
        await reader._webSocket.SendAsync(
            Encoding.UTF8.GetBytes("{\"protocol\":\"json\",\"version\":1}\u001e"), WebSocketMessageType.Text, true, cancellationToken);
        while (reader._unread.WrittenCount < 3) // the handshake's answer, "{}" and a separator
        {
            Assert.True(await reader.ReceiveAsync(cancellationToken));
        }

        reader._parsed = 3;
        return reader;
    }

    /// <summary>Reads on, until the server ends the connection; returns all that was sent.</summary>
    public async Task<IReadOnlyList<HubMessage>> ReadToEndAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (await ReceiveAsync(cancellationToken))
            {
            }
        }
        catch (WebSocketException)
        {
            // it was cut off
        }

        var messages = new List<HubMessage>();
        var rest = new ReadOnlySequence<byte>(_unread.WrittenMemory[_parsed..]);
        while (Protocol.TryParseMessage(ref rest, new Binder(), out var message))
        {
            messages.Add(message);
        }

        return messages;
    }

    public ValueTask DisposeAsync()
    {
        _webSocket.Dispose();
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<bool> ReceiveAsync(CancellationToken cancellationToken)
    {
        var received = await _webSocket.ReceiveAsync(_unread.GetMemory(4_096), cancellationToken);
        _unread.Advance(received.Count);
        return received.MessageType != WebSocketMessageType.Close;
    }

    private sealed class Binder : IInvocationBinder
    {
        public Type GetReturnType(string invocationId) => throw new NotSupportedException();

        public IReadOnlyList<Type> GetParameterTypes(string methodName) => [typeof(string)];

        public Type GetStreamItemType(string streamId) => throw new NotSupportedException();
    }
}
