using System.Reflection;
using Marketplace.Limits;
using Marketplace.WebFrontend.Limits.Calls;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization.Invocation;

namespace WebFrontend.Tests.Limits;

/// <summary>Limits outside HTTP.</summary>
public sealed class CallLimitTests(LimitsApp fixture) : IClassFixture<LimitsApp>
{
    private interface ISomething
    {
        [Limited("two")]
        Task Limited();

        Task Free();
    }

    [Fact]
    public async Task Calls_of_a_marked_grain_method_are_counted_by_the_grains_key()
    {
        var filter = fixture.App.Services.GetServices<IOutgoingGrainCallFilter>().OfType<LimitedCallFilter>().Single();
        var (one, other) = (new Call(nameof(ISomething.Limited), "one"), new Call(nameof(ISomething.Limited), "other"));
        await filter.Invoke(one);
        await filter.Invoke(one);
        await filter.Invoke(other);

        var refusal = await Assert.ThrowsAsync<CallRefusedException>(() => filter.Invoke(one));

        Assert.StartsWith("The limit \"two\" is used up; try again in ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((2, 1), (one.Made, other.Made));
    }

    [Fact]
    public async Task Calls_of_other_methods_and_calls_between_grains_are_not_limited()
    {
        var filter = fixture.App.Services.GetServices<IOutgoingGrainCallFilter>().OfType<LimitedCallFilter>().Single();
        var free = new Call(nameof(ISomething.Free), "three");
        var between = new Call(nameof(ISomething.Limited), "three") { SourceId = GrainId.Create("user", "one") };
        for (var i = 0; i < 5; i++)
        {
            await filter.Invoke(free);
            await filter.Invoke(between);
        }

        Assert.Equal((5, 5), (free.Made, between.Made));
    }

    [Fact]
    public void A_connection_may_make_so_many_calls_at_once_and_then_so_many_a_second()
    {
        var rate = new CallRate(perSecond: 20, ticksPerSecond: 1_000);
        Assert.Equal(20, Enumerable.Range(0, 30).Count(_ => rate.TryTake(now: 5_000, out var _)));
        Assert.False(rate.TryTake(now: 5_049, out var wait));
        Assert.Equal(1, wait);
        Assert.True(rate.TryTake(now: 5_050, out _));
        Assert.False(rate.TryTake(now: 5_050, out _));
        Assert.Equal(12, rate.Refused);
        Assert.Equal(20, Enumerable.Range(0, 30).Count(_ => rate.TryTake(now: 60_000, out var _)));
        Assert.Equal(10, rate.Refused); // the pause has made up for those before
    }

    private sealed class Call(string method, string key) : IOutgoingGrainCallContext
    {
        public int Made { get; private set; }

        public IInvokable Request => throw new NotSupportedException();

        public object Grain => throw new NotSupportedException();

        public MethodInfo InterfaceMethod => typeof(ISomething).GetMethod(method)!;

        public object? Result { get; set; }

        public Response? Response { get; set; }

        public GrainId? SourceId { get; init; }

        public GrainId TargetId => GrainId.Create("something", key);

        public GrainInterfaceType InterfaceType => default;

        public string InterfaceName => nameof(ISomething);

        public string MethodName => method;

        public IGrainContext? SourceContext => null;

        public Task Invoke()
        {
            Made++;
            return Task.CompletedTask;
        }
    }
}
