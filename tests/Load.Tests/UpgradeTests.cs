using System.Text;
using Marketplace.Bench.Load.Driver.Wire;

namespace Load.Tests;

public sealed class UpgradeTests
{
    private readonly RecordReader _reader = new(null);

    [Fact]
    public void What_follows_the_head_of_an_upgrade_are_frames()
    {
        Assert.Null(TakeAfter("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"));
        Assert.Equal(new UpgradeAnswer(101, ""), TakeAfter("\r\n\u0001"));
        Assert.Equal("\u0001"u8, _reader.Unread);
    }

    [Fact]
    public void A_refusal_is_told_by_its_problem()
    {
        Assert.Null(TakeAfter("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n\r\n"));
        Assert.Equal("503 connection-limit", TakeAfter("""{"type":"/problems/connection-limit","title":"Too many"}""").ToString());
    }

    [Fact]
    public void A_refusal_without_a_problem_is_told_by_its_status() =>
        Assert.Equal("401", TakeAfter("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").ToString());

    [Fact]
    public void A_server_that_speaks_no_HTTP_is_an_error() =>
        Assert.Throws<IOException>(() => TakeAfter("SSH-2.0-OpenSSH_9\r\n\r\n"));

    private UpgradeAnswer? TakeAfter(string bytes)
    {
        _reader.Add(Encoding.ASCII.GetBytes(bytes, _reader.Free.Span));
        return Upgrade.TakeAnswer(_reader);
    }
}
