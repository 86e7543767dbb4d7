using Marketplace.WebFrontend.Hosting;
using Marketplace.WebFrontend.Realtime;
using Microsoft.Extensions.Time.Testing;

namespace WebFrontend.Tests.Realtime;

public sealed class OrderedLanesTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task A_call_that_is_lost_with_a_silo_holds_up_its_lane_for_seconds_and_not_until_the_call_itself_times_out()
    {
        var calls = new List<IReadOnlyList<int>>();
        var lanes = new OrderedLanes<int, int>(
            () => ValueTask.CompletedTask,
            (_, items) =>
            {
                calls.Add(items);
                return calls.Count == 1 ? new TaskCompletionSource<IReadOnlyList<int>>().Task : Task.FromResult(items);
            },
            ClusterTrouble.IsTransient,
            _clock);

        var first = lanes.SendAsync("room", () => 1);
        var second = lanes.SendAsync("room", () => 2);
        var startedAt = TimeProvider.System.GetTimestamp();
        for (var passed = 0; !second.IsCompleted && TimeProvider.System.GetElapsedTime(startedAt) < TimeSpan.FromSeconds(20); passed++)
        {
            // Slowly beyond what it takes: a lane that is held up isn't to find its patience at an end.
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(TimeSpan.FromMilliseconds(passed < 40 ? 10 : 400), TimeProvider.System);
        }

        Assert.Equal([[1], [1], [2]], calls);
        Assert.Equal((1, 2), (await first, await second));
    }
}
