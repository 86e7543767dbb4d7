using Marketplace.Realtime.History;
using Marketplace.WebFrontend.Realtime.History;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Protocol;

namespace WebFrontend.Tests.Realtime;

/// <summary>Who follows a channel and can't be served hears of it; with all well, it is what the histories' model tests.</summary>
public sealed class HistoryJoinTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    private static readonly HistoryMessage Said = new("Said", "[]"u8.ToArray());

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Who_is_cut_while_the_inbox_drops_what_it_waits_for_waits_no_longer(int done)
    {
        using var cut = new CancellationTokenSource();
        var posted = 0;
        var following = Join(action =>
        {
            if (posted++ < done)
            {
                action();
            }
            else
            {
                cut.CancelAfter(TimeSpan.FromMilliseconds(50)); // the lease ended: the reader drops it, and the connection is cut
            }
        }).FollowAsync(new(1, 0), cut.Token);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => following.WaitAsync(Soon));
        Assert.Equal(done + 1, posted);
    }

    [Fact]
    public async Task A_message_that_cannot_be_written_fails_the_join()
    {
        var following = Join(action => Record.Exception(action), (_, _) => throw new InvalidOperationException("no such method"))
            .FollowAsync(new(1, 0), CancellationToken.None);

        await Assert.ThrowsAsync<InvalidOperationException>(() => following.WaitAsync(Soon));
    }

    [Fact]
    public async Task Who_missed_much_is_written_the_next_page_when_the_last_one_has_left()
    {
        var connection = new Connection();
        var following = Join(action => action(), connection: connection, messages: 3).FollowAsync(new(1, 0), CancellationToken.None);

        await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        Assert.Equal(1, connection.Written);

        connection.Reads.SetResult();
        Assert.Equal((new(1, 3), true), await following.WaitAsync(Soon));
        Assert.Equal(3, connection.Written);
    }

    /// <summary>To a channel whose messages this frontend knows of, and which are read one by one.</summary>
    private static HistoryJoin Join(
        Action<Action> post,
        Func<HistoryPosition, HistoryMessage, SerializedHubMessage>? toHubMessage = null,
        Connection? connection = null,
        int messages = 1)
    {
        var history = new LocalHistory();
        history.Begin(new(1, messages));
        return new(
            "room",
            history,
            connection ?? new Connection(),
            post,
            (after, _) => Task.FromResult(
                new HistoryPage(new(1, messages), [new(after.Number + 1, Guid.Empty, after.Number + 1, Said)], IsLost: false)),
            toHubMessage ?? ((_, _) => new(new InvocationMessage("Said", []))));
    }

    private sealed class Connection : IHistoryConnection
    {
        public Dictionary<string, HistoryFollower>? Following { get; set; }

        /// <summary>Whether it reads what it is written.</summary>
        public TaskCompletionSource Reads { get; init; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Written { get; private set; }

        public void Write(SerializedHubMessage message) => Written++;

        public Task WhenWrittenAsync() => Written == 0 ? Task.CompletedTask : Reads.Task;

        public void Abort()
        {
        }
    }
}
