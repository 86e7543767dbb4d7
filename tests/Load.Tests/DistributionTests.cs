using System.Text.Json;
using Marketplace.Bench.Load.Driver;

namespace Load.Tests;

public sealed class DistributionTests
{
    [Fact]
    public void The_parts_of_several_workers_have_the_percentiles_of_the_whole()
    {
        var (first, second, whole) = (new Latencies(), new Latencies(), new Latencies());
        for (var i = 1; i <= 1000; i++)
        {
            (i % 3 == 0 ? first : second).Record(TimeSpan.FromMilliseconds(i));
            whole.Record(TimeSpan.FromMilliseconds(i));
        }

        var sum = Distribution.Sum([Sent(first.Read(forgets: false)), Sent(second.Read(forgets: false))]);

        Assert.Equal(1000, sum.Count);
        Assert.All([50.0, 99, 99.9, 100], percent => Assert.Equal(whole.Read(forgets: false).Milliseconds(percent), sum.Milliseconds(percent)));
        Assert.Equal(990, sum.Milliseconds(99), 990 * 0.001);
        Assert.Equal(1000, sum.LongestMilliseconds, 1000 * 0.001);
    }

    [Fact]
    public void What_was_read_may_be_forgotten()
    {
        var latencies = new Latencies();
        latencies.Record(TimeSpan.FromSeconds(1));

        Assert.Equal(1, latencies.Read(forgets: true).Count);
        Assert.Equal(0, latencies.Read(forgets: false).Count);
    }

    [Fact]
    public void Nothing_recorded_has_no_percentile_to_divide_by()
    {
        Assert.Equal(0, Distribution.Empty.Milliseconds(99));
        Assert.Equal(0, Distribution.Sum([]).Count);
    }

    private static Distribution Sent(Distribution distribution) =>
        JsonSerializer.Deserialize<Distribution>(JsonSerializer.Serialize(distribution))!;
}
