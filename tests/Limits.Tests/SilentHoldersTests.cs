using Marketplace.Grains.Limits;
using Microsoft.Extensions.Time.Testing;

namespace Limits.Tests;

public sealed class SilentHoldersTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Guid _holder = Guid.NewGuid();
    private readonly SilentHolders _silent;

    public SilentHoldersTests() => _silent = new(_clock);

    [Fact]
    public void Who_left_a_recall_unanswered_is_asked_again_by_one_caller_a_second()
    {
        Assert.False(_silent.MayPassOver(_holder));
        _silent.LeftUnanswered(_holder);

        Assert.True(_silent.MayPassOver(_holder));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.False(_silent.MayPassOver(_holder));
        Assert.True(_silent.MayPassOver(_holder));
    }

    [Fact]
    public void Who_speaks_again_is_asked_by_all()
    {
        _silent.LeftUnanswered(_holder);

        _silent.Heard(_holder);

        Assert.False(_silent.MayPassOver(_holder));
    }

    [Fact]
    public void Who_met_nobody_for_long_is_forgotten()
    {
        _silent.LeftUnanswered(_holder);
        _clock.Advance(TimeSpan.FromMinutes(11));

        _silent.LeftUnanswered(Guid.NewGuid());

        Assert.Equal(1, _silent.Count);
    }
}
