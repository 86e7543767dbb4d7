using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Marketplace.Bench.Load.Measuring;

/// <summary>
/// One keep-alive connection that asks in the name of one client address after the other. HttpClient would do, but costs
/// several times as much, and shares the processor with what is measured.
/// </summary>
internal sealed class PingConnection(Uri target) : IDisposable
{
    private const int RequestBytesMax = 256;
    private const int AnswerBytesMax = 8192;
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly string _head = $"GET {target.AbsolutePath} HTTP/1.1\r\nHost: {target.Authority}\r\nX-Forwarded-For: 10.";
    private readonly byte[] _request = new byte[RequestBytesMax];
    private readonly byte[] _answer = new byte[AnswerBytesMax];

    public async Task ConnectAsync(CancellationToken cancellationToken) =>
        await _socket.ConnectAsync(IPAddress.Loopback, target.Port, cancellationToken);

    /// <summary>Asks once and returns the answer's status.</summary>
    /// <param name="client">The number of the client, which becomes 10.x.y.z; below 2^24.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<int> AskAsync(int client, CancellationToken cancellationToken)
    {
        await _socket.SendAsync(_request.AsMemory(0, Compose(client)), cancellationToken);
        var received = 0;
        do
        {
            var bytes = await _socket.ReceiveAsync(_answer.AsMemory(received), cancellationToken);
            received += bytes > 0 ? bytes : throw new IOException("The connection was closed before the answer was complete.");
        }
        while (!IsComplete(_answer.AsSpan(0, received)));

        return Utf8Parser.TryParse(_answer.AsSpan("HTTP/1.1 ".Length, 3), out int status, out _)
            ? status
            : throw new IOException("The answer has no status.");
    }

    public void Dispose() => _socket.Dispose();

    private int Compose(int client) => Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{_head}{client >> 16}.{(client >> 8) & 255}.{client & 255}\r\n\r\n"), _request);

    /// <summary>Answers here are short and have a length, or come in chunks of which the last is empty.</summary>
    private static bool IsComplete(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var headers = answer[..end];
        var length = headers.IndexOf("\r\nContent-Length: "u8);
        return length < 0
            ? answer.EndsWith("\r\n0\r\n\r\n"u8)
            : Utf8Parser.TryParse(headers[(length + "\r\nContent-Length: ".Length)..], out int bytes, out _)
                && answer.Length == end + "\r\n\r\n".Length + bytes;
    }
}
