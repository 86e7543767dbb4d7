using System.Text;
using System.Text.Json;
using Marketplace.Bench.Load.Driver;
using Marketplace.Bench.Load.Driver.Wire;

namespace Load.Tests;

public sealed class ProtocolTests
{
    private const int HeadOfShortFrame = 2 + 4;
    private readonly SignalRProtocol _signalR = new();
    private readonly SocketIoProtocol _socketIo = new();

    [Theory]
    [InlineData("""{}""", WireEventKind.Ready, 0, false)]
    [InlineData("""{"error":"Handshake was refused."}""", WireEventKind.Closed, 0, false)]
    [InlineData("""{"type":6}""", WireEventKind.None, 0, false)]
    [InlineData("""{"type":1,"target":"Chat","arguments":[{"text":"hello"}]}""", WireEventKind.Message, 0, false)]
    [InlineData("""{"type":3,"invocationId":"17","result":null}""", WireEventKind.Answer, 17, false)]
    [InlineData("""{"type":3,"invocationId":"17","result":{"a":[1]}}""", WireEventKind.Answer, 17, false)]
    [InlineData("""{"type":3,"invocationId":"18","error":"No."}""", WireEventKind.Answer, 18, true)]
    [InlineData("""{"type":7,"error":"Bye."}""", WireEventKind.Closed, 0, false)]
    public void What_SignalR_says_is_understood(string record, object kind, long callId, bool isError) =>
        Assert.Equal(new WireEvent((WireEventKind)kind, callId, isError), _signalR.Read(Encoding.ASCII.GetBytes(record)));

    [Theory]
    [InlineData("""40{"sid":"abc"}""", WireEventKind.Ready, 0)]
    [InlineData("""42["chat",{"text":"hello"}]""", WireEventKind.Message, 0)]
    [InlineData("""43119[]""", WireEventKind.Answer, 119)]
    [InlineData("""41""", WireEventKind.Closed, 0)]
    [InlineData("""44{"message":"no"}""", WireEventKind.Closed, 0)]
    [InlineData("""1""", WireEventKind.Closed, 0)]
    public void What_Socket_IO_says_is_understood(string packet, object kind, long callId) =>
        Assert.Equal(new WireEvent((WireEventKind)kind, callId), _socketIo.Read(Encoding.ASCII.GetBytes(packet)));

    [Fact]
    public void Socket_IO_is_answered_at_its_opening_and_its_pings()
    {
        Assert.Equal("40", PayloadOf(_socketIo.Read("""0{"sid":"x","pingInterval":25000}"""u8).Reply!));
        Assert.Equal("3", PayloadOf(_socketIo.Read("2"u8).Reply!));
    }

    [Fact]
    public void A_call_is_written_as_each_protocol_has_it()
    {
        Assert.Equal(
            """{"type":1,"invocationId":"5","target":"SendChat","arguments":["m-5","hello"]}""" + "\u001e",
            PayloadOf(_signalR.Send(5, "m-5", "hello")));
        Assert.Equal("""425["chat","m-5","hello"]""", PayloadOf(_socketIo.Send(5, "m-5", "hello")));
    }

    [Fact]
    public void A_stamp_is_found_in_whatever_surrounds_it()
    {
        var stamp = new Stamp(12, 345, 678_901_234_567);

        Assert.True(Stamp.TryFind(Encoding.ASCII.GetBytes($$"""42["chat",{"text":"{{stamp.ToText()}}xxx"}]"""), out var found));
        Assert.Equal(stamp, found);
        Assert.False(Stamp.TryFind("""{"text":"load:12:x"}"""u8, out _));
        Assert.False(Stamp.TryFind("""{"text":"hello"}"""u8, out _));
    }

    [Fact]
    public void Neighbours_share_a_room_and_its_first_members_speak()
    {
        Assert.Equal(["bench-0", "bench-0", "bench-1", "bench-1"], Enumerable.Range(0, 4).Select(client => Room.NameOf(client, 2)));
        Assert.Equal("lobby", Room.NameOf(3, 0));
        Assert.Equal(3, Room.CountSpeaking(first: 1, count: 5, size: 2, senders: 1) + Room.CountSpeaking(0, 1, 2, 1));
    }

    [Fact]
    public void Every_user_has_its_number_of_connections_and_one_too_many_is_another_users()
    {
        var plan = new CrowdPlan { Targets = [], Connections = 12, PerUser = 5 };

        var users = Enumerable.Range(0, 16).Select(plan.UserOf).ToList();

        Assert.Equal([0, 1, 2, 0], users.Take(4));
        Assert.Equal(5, users.Max(user => users.Count(other => other == user)));
        Assert.Equal(3, users[15]);
    }

    [Fact]
    public void A_place_in_history_moves_forward_and_goes_back_as_it_came()
    {
        var first = HistoryPlace.After(null, """{"type":1,"target":"Chat","arguments":[{"channel":"room/a","epoch":"7","number":41},{}]}"""u8);
        var same = HistoryPlace.After(first, """{"type":1,"target":"Chat","arguments":[{"channel":"room/a","epoch":"7","number":40},{}]}"""u8);
        var next = HistoryPlace.After(same, """{"type":1,"target":"Chat","arguments":[{"channel":"room/a","epoch":"8","number":1},{}]}"""u8);

        Assert.Equal(new("room/a", "7", 41), first);
        Assert.Same(first, same);
        Assert.Same(next, HistoryPlace.After(next, """{"type":1,"target":"Broadcast","arguments":[{"text":"hello"}]}"""u8));
        using var call = JsonDocument.Parse(PayloadOf(_signalR.Resume(0, next!)!).TrimEnd('\u001e'));
        var point = call.RootElement.GetProperty("arguments")[0][0];
        Assert.Equal("room/a", point.GetProperty("channel").GetString());
        Assert.Equal("8", point.GetProperty("epoch").GetString());
        Assert.Equal(1, point.GetProperty("number").GetInt64());
    }

    private static string PayloadOf(byte[] frame) => Encoding.ASCII.GetString(frame.AsSpan(HeadOfShortFrame));
}
