using System.Text;
using Marketplace.Realtime.History;

namespace Grains.Tests.Realtime;

public sealed class HistoryGrainTests(ChannelCluster cluster) : IClassFixture<ChannelCluster>, IAsyncLifetime
{
    private readonly IHistoryGrain _channel = cluster.NewHistory();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    /// <summary>The frontends of one test are no candidates in the next.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var lease in await cluster.Leases.GetLive())
        {
            await cluster.Leases.Release(lease.Epoch);
        }
    }

    [Fact]
    public async Task Messages_are_numbered_kept_and_sent_to_whoever_listens()
    {
        var frontend = await ListeningAsync(out var began);
        var first = await _channel.Append([Item("a")]);
        var more = await _channel.Append([Item("b"), Item("c")]);

        Assert.Equal(default, await began);
        Assert.Equal([1], first.Select(position => position.Number));
        Assert.Equal([2, 3], more.Select(position => position.Number));
        await Eventually.TrueAsync(() => frontend.Has.SequenceEqual(["a", "b", "c"]));
        var page = await _channel.Read(first[0]);
        Assert.Equal(["b", "c"], page.Messages.Select(HistoryFrontend.TextOf));
        Assert.Equal((more[^1], false), (page.End, page.IsLost));
    }

    [Fact]
    public async Task A_message_that_is_sent_again_is_the_same_message_even_after_the_channel_moved()
    {
        var frontend = await ListeningAsync(out _);
        var first = await _channel.Append([Item("a"), Item("b")]);
        var again = await _channel.Append([Item("b")]);
        await cluster.DeactivateAllAsync();
        var moved = await AppendAsync(frontend, Item("a"), Item("c"));

        Assert.Equal(first[1], again[0]);
        Assert.Equal([1, 3], moved.Select(position => position.Number));
        await Eventually.TrueAsync(() => frontend.Has.SequenceEqual(["a", "b", "c"]));
    }

    [Fact]
    public async Task A_frontend_that_lacks_messages_is_sent_them_before_what_follows()
    {
        var frontend = await ListeningAsync(out _);
        var sent = await _channel.Append([Item("a")]);
        await Eventually.TrueAsync(() => frontend.Has.Count == 1);
        await cluster.DeactivateAllAsync();

        // More than a page, committed by an activation whose silo died: the next one finds them, and sends only what follows.
        await cluster.NewStore().AppendAsync(
            new(Name, sent[0].Epoch, 1, [.. Enumerable.Range(0, 300).Select(i => Item($"m{i}"))]));
        await AppendAsync(frontend, Item("z"));

        await Eventually.TrueAsync(() => frontend.Has.Contains("z"));
        Assert.Equal(["a", .. Enumerable.Range(0, 300).Select(i => $"m{i}"), "z"], frontend.Has);
    }

    [Fact]
    public async Task A_frontend_that_says_what_it_has_gets_the_rest_although_nothing_more_is_said()
    {
        var frontend = await ListeningAsync(out _);
        var sent = await _channel.Append([Item("a")]);
        await Eventually.TrueAsync(() => frontend.Has.Count == 1);
        await cluster.NewStore().AppendAsync(new(Name, sent[0].Epoch, 1, [Item("b")])); // committed, and its silo died
        await cluster.DeactivateAllAsync();

        await cluster.AnnounceAsync(frontend.Address);
        await _channel.Listen(frontend.Address, change: 1, frontend.Known);

        await Eventually.TrueAsync(() => frontend.Has.SequenceEqual(["a", "b"]));
    }

    [Fact]
    public async Task What_another_activation_stored_keeps_its_number_and_is_sent_too()
    {
        var frontend = await ListeningAsync(out _);
        var sent = await _channel.Append([Item("a")]);
        await cluster.NewStore().AppendAsync(new(Name, sent[0].Epoch, 1, [Item("b")]));

        var next = await AppendAsync(frontend, Item("c"));

        Assert.Equal(3, next[0].Number);
        await Eventually.TrueAsync(() => frontend.Has.SequenceEqual(["a", "b", "c"]));
    }

    [Fact]
    public async Task Only_so_much_is_kept_and_whoever_asks_for_more_is_told()
    {
        IReadOnlyList<HistoryPosition> sent = [];
        for (var i = 0; i < 6; i++)
        {
            sent = await _channel.Append([.. Enumerable.Range(0, 100).Select(j => Item($"m{i}-{j}"))]);
        }

        var epoch = sent[0].Epoch;
        await Eventually.DoneAsync(async () => Assert.True((await _channel.Read(new(epoch, 1))).IsLost));
        Assert.Equal(600, sent[^1].Number);
        Assert.False((await _channel.Read(new(epoch, 250))).IsLost);
        Assert.True((await _channel.Read(new(epoch + 1, 250))).IsLost); // another run of numbers
        Assert.True((await _channel.Read(new(epoch, 601))).IsLost);     // a future that was restored away
        Assert.True((await _channel.Read(default)).IsLost);
    }

    [Fact]
    public async Task A_frontend_that_was_away_for_too_long_is_told_that_something_is_lost()
    {
        var frontend = await ListeningAsync(out _);
        await _channel.Append([Item("a")]);
        await Eventually.TrueAsync(() => frontend.Has.Count == 1);
        await _channel.Leave(frontend.Address.Epoch, change: 2);
        for (var i = 0; i < 6; i++)
        {
            await _channel.Append([.. Enumerable.Range(0, 100).Select(j => Item($"m{i}-{j}"))]);
        }

        await Eventually.DoneAsync(async () => Assert.True((await _channel.Read(frontend.Known)).IsLost));
        await _channel.Listen(frontend.Address, change: 3, frontend.Known);

        await Eventually.TrueAsync(() => frontend.Has.SequenceEqual(["a", "(lost)", "m5-99"]));
    }

    private string Name => _channel.GetPrimaryKeyString();

    private static HistoryItem Item(string text) => new(text, new("Say", Encoding.UTF8.GetBytes($"[\"{text}\"]")));

    /// <summary>Appends while the frontend makes itself known, as one does every second.</summary>
    private async Task<IReadOnlyList<HistoryPosition>> AppendAsync(HistoryFrontend frontend, params HistoryItem[] items)
    {
        IReadOnlyList<HistoryPosition> sent = [];
        await Eventually.DoneAsync(async () =>
        {
            await cluster.AnnounceAsync(frontend.Address);
            sent = await _channel.Append(items);
        });
        return sent;
    }

    private Task<HistoryFrontend> ListeningAsync(out Task<HistoryPosition> began)
    {
        var answer = new TaskCompletionSource<HistoryPosition>();
        began = answer.Task;
        return ListenAsync();

        async Task<HistoryFrontend> ListenAsync()
        {
            var frontend = new HistoryFrontend();
            frontend.Address = await cluster.StartFrontendAsync(frontend);
            var position = await _channel.Listen(frontend.Address, change: 1, known: null);
            frontend.Begin(position);
            answer.SetResult(position);
            return frontend;
        }
    }
}
