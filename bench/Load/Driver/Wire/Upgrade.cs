using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <summary>The HTTP request that becomes a WebSocket. What the server makes of the key is not checked: we know it.</summary>
internal static class Upgrade
{
    private const int HeadBytesMax = 16_384;

    public static byte[] Request(Uri server, string target, string? token)
    {
        var authorization = token is null ? "" : $"Authorization: Bearer {token}\r\n";
        return Encoding.ASCII.GetBytes(
            $"GET {target} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFya2V0cGxhY2UgbG9hZA==\r\n{authorization}\r\n");
    }

    /// <summary>The answer's status, and takes its head from the reader; null while that is not complete.</summary>
    /// <exception cref="IOException">It is no HTTP.</exception>
    public static int? TakeStatus(RecordReader reader)
    {
        var head = reader.Unread;
        var end = head.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return head.Length <= HeadBytesMax ? null : throw new IOException("The answer's head has no end.");
        }

        if (!head.StartsWith("HTTP/1.1 "u8) || !Utf8Parser.TryParse(head["HTTP/1.1 ".Length..], out int status, out _))
        {
            throw new IOException(string.Create(
                CultureInfo.InvariantCulture, $"The server doesn't speak HTTP: {Encoding.ASCII.GetString(head[..Math.Min(40, end)])}"));
        }

        reader.Skip(end + "\r\n\r\n".Length);
        return status;
    }
}
