using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Marketplace.Bench.Load.Driver.Wire;

/// <param name="Status">Of HTTP; 101 opens the WebSocket.</param>
/// <param name="Problem">The last part of the problem's type, where a refusal has one.</param>
internal readonly record struct UpgradeAnswer(int Status, string Problem)
{
    public override string ToString() => Problem.Length == 0
        ? Status.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{Status} {Problem}");
}

/// <summary>The HTTP request that becomes a WebSocket. What the server makes of the key is not checked: we know it.</summary>
internal static class Upgrade
{
    private const int SwitchingProtocols = 101;
    private const int HeadBytesMax = 16_384;

    private static ReadOnlySpan<byte> ProblemType => "application/problem+json"u8;

    private static ReadOnlySpan<byte> Problems => "/problems/"u8;

    public static byte[] Request(Uri server, string target, string? token)
    {
        var authorization = token is null ? "" : $"Authorization: Bearer {token}\r\n";
        return Encoding.ASCII.GetBytes(
            $"GET {target} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWFya2V0cGxhY2UgbG9hZA==\r\n{authorization}\r\n");
    }

    /// <summary>
    /// The answer, and takes its head from the reader; null while that is not complete, or the problem that a refusal explains
    /// itself with.
    /// </summary>
    /// <exception cref="IOException">It is no HTTP.</exception>
    public static UpgradeAnswer? TakeAnswer(RecordReader reader)
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

        var body = head[(end + "\r\n\r\n".Length)..];
        if (status != SwitchingProtocols && head[..end].IndexOf(ProblemType) >= 0)
        {
            return ProblemOf(body) is { } problem ? new(status, problem) : null;
        }

        reader.Skip(head.Length - body.Length);
        return new(status, "");
    }

    private static string? ProblemOf(ReadOnlySpan<byte> body)
    {
        var start = body.IndexOf(Problems);
        var rest = start < 0 ? [] : body[(start + Problems.Length)..];
        var end = rest.IndexOf((byte)'"');
        return end < 0 ? null : Encoding.ASCII.GetString(rest[..end]);
    }
}
