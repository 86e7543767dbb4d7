using Marketplace.Realtime;
using Marketplace.Realtime.History;
using Marketplace.WebFrontend.Realtime.History;

namespace WebFrontend.Tests.Realtime;

public sealed class LocalHistoryTests
{
    private const long Epoch = 7;
    private readonly LocalHistory _history = new();

    [Fact]
    public void What_was_taken_over_and_never_written_is_taken_again()
    {
        _history.Begin(new(Epoch, 10));
        Assert.Equal([11, 12, 13], Take(11, 12, 13));
        _history.Written = new(Epoch, 11);

        _history.ForgetUnwritten();

        Assert.Equal(new HistoryPosition(Epoch, 11), _history.Known);
        Assert.Equal([12, 13], Take(11, 12, 13));
    }

    [Fact]
    public void Before_anything_was_written_it_goes_back_to_where_it_began()
    {
        _history.Begin(new(Epoch, 10));
        Take(11);

        _history.ForgetUnwritten();

        Assert.Equal(new HistoryPosition(Epoch, 10), _history.Known);
    }

    /// <summary>The numbers of the messages that were new.</summary>
    private List<long> Take(params long[] numbers)
    {
        var taken = new List<long>();
        var messages = Array.ConvertAll(numbers, number => new NumberedMessage(number, Guid.Empty, number, new HistoryMessage("Chat", default)));
        _history.Take(
            new("room", FrontendEpoch: 1, Epoch, messages),
            _ => true,
            (position, _) =>
            {
                taken.Add(position.Number);
                return true;
            });
        return taken;
    }
}
