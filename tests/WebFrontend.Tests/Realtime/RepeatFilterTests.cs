using Marketplace.Realtime;
using Marketplace.WebFrontend.Realtime;

namespace WebFrontend.Tests.Realtime;

public sealed class RepeatFilterTests
{
    private static readonly Guid Publisher = Guid.NewGuid();
    private readonly RepeatFilter _filter = new(publishersMax: 100);

    [Fact]
    public void A_channels_own_retry_is_a_repeat()
    {
        _filter.Remember(1, Message(number: 7, sequence: 70));

        Assert.True(_filter.IsRepeat(1, Message(number: 7, sequence: 70)));
        Assert.False(_filter.IsRepeat(1, Message(number: 8, sequence: 71)));
    }

    [Fact]
    public void A_message_that_was_published_again_to_a_new_activation_is_a_repeat()
    {
        _filter.Remember(1, Message(number: 7, sequence: 70));

        Assert.True(_filter.IsRepeat(2, Message(number: 1, sequence: 70)));
        Assert.False(_filter.IsRepeat(2, Message(number: 2, sequence: 71)));
    }

    [Fact]
    public void Publishers_have_orders_of_their_own()
    {
        _filter.Remember(1, Message(number: 7, sequence: 70));

        Assert.False(_filter.IsRepeat(1, Message(number: 8, sequence: 1) with { Publisher = Guid.NewGuid() }));
    }

    private static NumberedMessage Message(long number, long sequence) =>
        new(number, Publisher, sequence, new HubReply("id", null, null));
}
