using Microsoft.AspNetCore.SignalR.Protocol;

namespace WebFrontend.Tests.Realtime;

/// <summary>How far a reader may fall behind. Messages have 100 bytes: ten fill the transport, and the write of the tenth waits.</summary>
public sealed class LocalConnectionTests
{
    private const int InTransport = 10;

    [Fact]
    public async Task A_reader_that_keeps_up_has_no_queue_and_a_write_to_it_allocates_nothing()
    {
        using var connection = new PipedConnection();
        var allocated = 0L;
        for (var i = 0; i < 1_000; i++)
        {
            var message = PipedConnection.Message(i, 100);
            var before = GC.GetAllocatedBytesForCurrentThread();
            connection.Local.Write(message);
            allocated += i < 100 ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal([i], PipedConnection.NumbersIn(await connection.ReadAllAsync()));
        }

        Assert.Equal(0, connection.Meters.Highest("queued"));
        Assert.Equal(0, allocated);
    }

    [Fact]
    public async Task A_reader_that_comes_back_within_the_bounds_gets_everything_in_order_and_its_queue_is_gone()
    {
        using var connection = new PipedConnection(new() { QueuedMessagesMax = 50 });
        Write(connection, 0, InTransport + 50);
        Assert.Equal(50, connection.Meters.Sum("queued"));
        Assert.Equal(5_000, connection.Meters.Sum("queued_bytes"));

        Assert.Equal(Enumerable.Range(0, InTransport + 50), PipedConnection.NumbersIn(await connection.ReadAllAsync()));

        Assert.Equal((0, 0), (connection.Meters.Sum("queued"), connection.Meters.Sum("queued_bytes")));
        Write(connection, 0, InTransport + 50);
        Assert.Equal(Enumerable.Range(0, InTransport + 50), PipedConnection.NumbersIn(await connection.ReadAllAsync()));
        Assert.False(connection.IsCloseRequested);
    }

    [Fact]
    public async Task With_one_message_more_than_may_wait_the_reader_finds_the_reason_behind_what_it_had_been_sent()
    {
        using var connection = new PipedConnection(new() { QueuedMessagesMax = 50, QueuedBytesMax = 1_000_000 });
        Write(connection, 0, InTransport + 50);
        Assert.False(connection.IsCloseRequested);

        Write(connection, 60, 1);

        await AssertCutAsync(connection, "messages", "This client reads too slowly: more than 50 messages waited for it.", dropped: 51);
    }

    [Fact]
    public async Task With_more_bytes_than_may_wait_the_reader_finds_the_reason_behind_what_it_had_been_sent()
    {
        using var connection = new PipedConnection(new() { QueuedMessagesMax = 1_000_000, QueuedBytesMax = 2_050 });
        Write(connection, 0, InTransport + 20);
        Assert.False(connection.IsCloseRequested);

        Write(connection, 30, 1);

        await AssertCutAsync(connection, "bytes", "This client reads too slowly: more than 2050 bytes waited for it.", dropped: 21);
    }

    [Fact]
    public async Task A_message_longer_than_the_bound_may_wait_alone()
    {
        using var connection = new PipedConnection(new() { QueuedBytesMax = 2_000 });
        Write(connection, 0, InTransport);
        connection.Local.Write(PipedConnection.Message(10, 9_000));
        Assert.False(connection.IsCloseRequested);
        Assert.Equal(Enumerable.Range(0, 11), PipedConnection.NumbersIn(await connection.ReadAllAsync()));
    }

    [Fact]
    public async Task Who_is_cut_and_does_not_read_the_reason_loses_the_socket_in_time()
    {
        using var connection = new PipedConnection(new() { QueuedMessagesMax = 5, GoodbyeWithin = TimeSpan.FromSeconds(7) });
        Write(connection, 0, InTransport + 6);
        await EventuallyAsync(() => connection.IsCloseRequested);

        connection.Clock.Advance(TimeSpan.FromSeconds(6.9));
        Assert.False(connection.IsCut);

        connection.Clock.Advance(TimeSpan.FromSeconds(0.2));
        await EventuallyAsync(() => connection.IsCut);
    }

    [Fact]
    public async Task Nothing_waits_for_a_connection_that_broke()
    {
        using var connection = new PipedConnection();
        Write(connection, 0, InTransport + 30);
        Assert.Equal(30, connection.Meters.Sum("queued"));

        connection.Local.Context.Abort();

        await EventuallyAsync(() =>
        {
            Write(connection, 100, 1);
            return connection.Meters.Sum("queued") == 0; // the last write is over, too: this one didn't wait for it
        });
        Write(connection, 100, 2_000);
        Assert.Equal((0, 0), (connection.Meters.Sum("queued"), connection.Meters.Sum("cut messages")));
    }

    [Fact]
    public async Task What_was_written_has_left_when_nothing_waits_for_the_reader_and_when_nothing_ever_will()
    {
        using var connection = new PipedConnection();
        Write(connection, 0, 1);
        Assert.True(connection.Local.WhenWrittenAsync().IsCompleted);

        Write(connection, 1, InTransport + 30);
        var written = connection.Local.WhenWrittenAsync();
        Assert.False(written.IsCompleted);
        await connection.ReadAllAsync();
        await written.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, TestContext.Current.CancellationToken);

        Write(connection, 0, InTransport + 30);
        written = connection.Local.WhenWrittenAsync();
        connection.Local.Context.Abort();
        await written.WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    private static void Write(PipedConnection connection, int first, int count)
    {
        for (var i = first; i < first + count; i++)
        {
            connection.Local.Write(PipedConnection.Message(i, 100));
        }
    }

    private static async Task AssertCutAsync(PipedConnection connection, string bound, string reason, int dropped)
    {
        await EventuallyAsync(() => connection.IsCloseRequested);
        Write(connection, 100, 3); // nothing follows the reason
        var read = await connection.ReadAllAsync();
        Assert.Equal(Enumerable.Range(0, InTransport), PipedConnection.NumbersIn(read));
        var close = Assert.IsType<CloseMessage>(read[InTransport]);
        Assert.Equal((reason, true), (close.Error, close.AllowReconnect));
        Assert.Equal(InTransport + 1, read.Count);
        Assert.Equal(1, connection.Meters.Sum($"cut {bound}"));
        Assert.Equal(dropped + 3, connection.Meters.Sum("dropped"));
        Assert.Equal((0, 0), (connection.Meters.Sum("queued"), connection.Meters.Sum("queued_bytes")));
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        for (var startedAt = TimeProvider.System.GetTimestamp(); !condition(); await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(10), "it did not come to pass");
        }
    }
}
