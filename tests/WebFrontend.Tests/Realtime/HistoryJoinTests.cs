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

    /// <summary>To a channel with one message, of which this frontend knows.</summary>
    private static HistoryJoin Join(Action<Action> post, Func<HistoryPosition, HistoryMessage, SerializedHubMessage>? toHubMessage = null)
    {
        var history = new LocalHistory();
        history.Begin(new(1, 1));
        return new(
            "room",
            history,
            new Connection(),
            post,
            (_, _) => Task.FromResult(new HistoryPage(new(1, 1), [new(1, Guid.Empty, 1, Said)], IsLost: false)),
            toHubMessage ?? ((_, _) => new(new InvocationMessage("Said", []))));
    }

    private sealed class Connection : IHistoryConnection
    {
        public Dictionary<string, HistoryFollower>? Following { get; set; }

        public void Write(SerializedHubMessage message)
        {
        }

        public void Abort()
        {
        }
    }
}
