using Marketplace.Bench.Load.Realtime;
using Marketplace.Hosting;

namespace Load.Tests;

public sealed class RealtimeOptionsTests
{
    [Fact]
    public void Two_rounds_warm_up_unless_another_number_is_given()
    {
        Assert.Equal(2, Parse().WarmUps);
        Assert.Equal(0, Parse("--warm-ups", "0").WarmUps);
        Assert.Equal(7, Parse("--warm-ups", "7").WarmUps);
        Assert.Throws<StartupException>(() => Parse("--warm-ups", "101"));
    }

    private static RealtimeOptions Parse(params string[] args) => RealtimeOptions.Parse(args, ["pairs"]);
}
